"""Many machines, by Ray: batches, people's own pipelines of Ray Data, and servers.

Nothing here imports Ray before it is asked for: it is an extra, and `cluster.py` says how to
install it. `worker.py` and `replica.py` are what runs in Ray's processes.
"""
