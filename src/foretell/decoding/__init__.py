"""Choosing the next token: processors, the sampler, random numbers."""
