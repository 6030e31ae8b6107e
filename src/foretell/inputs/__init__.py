"""From a prompt and settings to a request."""
