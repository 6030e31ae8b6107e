"""From the engine's events to chunks, as they come, and to outputs.

A token's way, step 8: events → chunks → the user.
"""
