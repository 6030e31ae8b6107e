"""Choosing the next token: processors, the sampler, random numbers (row 5 of the design)."""
