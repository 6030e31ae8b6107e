"""The backend that runs any causal language model of transformers."""
