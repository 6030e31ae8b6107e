"""Files of models, which are never trusted."""
