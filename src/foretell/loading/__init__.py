"""From a model's files to a backend and a tokenizer."""
