"""The one bridge from asyncio into the engine: a thread that owns the model.

`running.py` is the callers' side, behind the methods of an `AsyncLLM`. `thread.py` is the
thread, `dispatcher.py` what it does between two steps, `submissions.py` what callers want of it,
`submitted.py` what they have of it, `channel.py` and `coalescing.py` the way back to their event
loops.

Beside a token's way: steps 3 to 8 run in its thread, for readers on event loops.
"""
