"""Choosing the next token: processors, strategies, the sampler, random numbers.

A token's way, step 5: logits, history, random numbers → choices `(parent, tokens)`, or draws.
"""
