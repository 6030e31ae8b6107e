"""Model definitions, one short file an architecture."""
