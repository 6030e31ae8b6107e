"""The native backend: foretell's own kernels."""
