"""Makes `contract.py` importable from the folders below."""
