"""`foretell serve`: where it listens, and who may ask."""
