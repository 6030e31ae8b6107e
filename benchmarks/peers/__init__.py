"""foretell and its peers, each in a process that answers one JSON request a line.

Operations that `speed/peers.py` asks of every peer; speeds are tokens a second:

- `load`: name, version, settings, `load_seconds`
- `generate(ids, max_new_tokens, sampling)`: `ids`, `wall_seconds`, `prefill_tokens_per_second`,
  `decode_tokens_per_second` (of the tokens after the first); greedy, if `sampling` is null, else
  with its temperature, top_k, top_p and seed
- `generate_many(prompts, max_new_tokens)`: `ids` of each, `wall_seconds`
- `generate_beams(ids, num_beams, max_new_tokens)`: `ids` of the best, `wall_seconds`
- `peak_memory`: `bytes`
"""
