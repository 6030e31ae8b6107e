"""What others compute, for comparisons and for the tests: no part of foretell."""
