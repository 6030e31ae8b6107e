"""From the engine's events to chunks and outputs."""
