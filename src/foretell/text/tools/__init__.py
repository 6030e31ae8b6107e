"""Calls of tools: what a model may call, how its calls are written, and how they are read.

Beside a token's way: tools join the messages before step 1, and calls are read from the text after
the last step.
"""
