"""Kinds of tokenizers, and what files say of them."""
