"""Prompts' keys and values in files: written by one process, there at the start of the next.

Beside a token's way: what is read from a file is in the prefix cache before step 3 looks there.
"""
