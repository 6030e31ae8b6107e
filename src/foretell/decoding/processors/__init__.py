"""Processors, one idea a file: each maps a row of logits to a row of logits."""
