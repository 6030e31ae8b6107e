"""Strings to token ids and back; nothing here sees logits.

A token's way, step 2: messages → text → ids.
A token's way, step 7: ids → text that is complete, or the end.
"""
