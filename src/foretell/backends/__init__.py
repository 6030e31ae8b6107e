"""Ways to run a model. Each backend answers one protocol, in `backends.base`."""
