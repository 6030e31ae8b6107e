"""From a model's files to a backend and a tokenizer.

Beside a token's way: a model is loaded before step 1.
"""
