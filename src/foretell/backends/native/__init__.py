"""The native backend: foretell's own kernels (row 4 of the design)."""
