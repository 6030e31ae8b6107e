"""Requests, KV blocks and the step that runs them."""
