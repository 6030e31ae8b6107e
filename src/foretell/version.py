"""The version of foretell."""

__version__ = "0.1.0"
