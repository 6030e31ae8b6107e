"""From prompts and settings to requests; all that can be refused is refused here.

A token's way, step 1: prompt + settings → request.
"""
