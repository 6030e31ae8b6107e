"""How far foretell is from the model itself."""
