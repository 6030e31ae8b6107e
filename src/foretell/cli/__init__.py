"""The command line: a file of `commands/` a command.

Beside a token's way: asks at step 1, and shows what comes of step 8.
"""
