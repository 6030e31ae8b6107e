"""Requests, KV blocks and the step that runs them (rows 3 and 6 of the design)."""
