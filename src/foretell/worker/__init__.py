"""The one bridge from asyncio into the engine: a thread that owns the model.

`worker.py` is the thread, `orders.py` what callers want of it, `channel.py` and `backlog.py` the
way back to their event loops.
"""
