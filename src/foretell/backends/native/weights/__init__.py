"""Reading model files: GGUF."""
