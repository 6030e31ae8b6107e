"""Requests, KV blocks and the step that runs them; nothing here sees text.

A token's way, step 3: waiting and running sequences → one ragged batch.
A token's way, step 6: choices → sequences that grow, fork, end; events by request.
"""
