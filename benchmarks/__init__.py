"""What foretell claims of its speed, accuracy and robustness, measured; see README.md."""
