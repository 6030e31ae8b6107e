"""Adapters: small changes to a model's weights, added to them as they are read.

A file is one kind of adapter: PEFT's folders (`peft.py`), GGUF files (`gguf_file.py`). Each gives a
`Read` adapter, changes by the names of modules; `merging.py` finds the weights that are meant.
"""

from foretell.backends.native.weights.adapters.merging import Adapters, open_adapters

__all__ = ["Adapters", "open_adapters"]
