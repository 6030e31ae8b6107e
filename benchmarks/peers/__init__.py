"""foretell and its peers, each in a process that answers one JSON request a line."""
