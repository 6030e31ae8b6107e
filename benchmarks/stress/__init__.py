"""No speed: what must hold after minutes of random requests, and however they are run."""
