"""Processors, one idea a file: each maps a row of logits to a row of logits.

The chain lists this folder: a file says in its `BUILDERS` which settings it has processors for.
"""
