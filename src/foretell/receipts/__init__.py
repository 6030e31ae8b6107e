"""Receipts: all that it takes to make a text again, as plain data.

Beside a token's way: a receipt is made of an output, when it is asked for.
"""

from foretell.receipts.facts import AdapterFacts, ModelFacts, TokenFact
from foretell.receipts.receipt import Receipt, load_receipts, read_receipt, save_receipts

__all__ = [
    "AdapterFacts",
    "ModelFacts",
    "Receipt",
    "TokenFact",
    "load_receipts",
    "read_receipt",
    "save_receipts",
]
