"""How checkpoint folders keep their matrices: as floats, or quantized by others.

A file knows what one way of quantizing calls its tensors, and makes matrices of them. `read_form`
picks it, by the `quantization_config` of `config.json`, which is never trusted beyond that: sizes
come from the tensors, and must agree with it.
"""

from foretell.backends.native.weights.forms.reading import read_form

__all__ = ["read_form"]
