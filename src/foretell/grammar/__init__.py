"""Languages that a text is held to: what may come next, and whether it may end.

It knows tokens by their bytes, and nothing of text or of models: `inputs/` gives it the vocabulary
and the settings, `decoding/` asks it for masks.

Beside a token's way: languages are compiled in step 1, and asked for masks in steps 5 and 6.
"""
