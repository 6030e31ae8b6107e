"""Tokens that are guessed before they are drawn; what a guess is worth is decided in `engine/`."""
