"""Ways to run a model. Each backend answers one protocol, in `base`.

A token's way, step 4: batch → logits `(rows, vocab_size)`.
"""
