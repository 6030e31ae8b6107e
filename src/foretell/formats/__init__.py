"""Files of models, which are never trusted: GGUF, safetensors, JSON; never a pickle.

Every offset, size and count is checked before it is used. What is damaged, cut short or malicious
gets a `ModelFileError` that names the file, the part and the reason.

Beside a token's way: files are read while a model is loaded, before step 1.
"""
