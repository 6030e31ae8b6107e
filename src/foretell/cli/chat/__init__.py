"""What a chat at a terminal reads and obeys."""
