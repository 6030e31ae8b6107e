"""The chain of processors in C++, and which chains it can run."""
