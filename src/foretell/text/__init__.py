"""Strings to token ids and back (rows 2 and 7 of the design)."""
