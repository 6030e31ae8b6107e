"""A bench of store_kv and attention over one layer's cache, of any kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretell.backends.native._core import OpKind
from support.kernel_bench import Bench, Cache


@dataclass(frozen=True)
class Heads:
    """`groups` query heads share each of `kv` key and value heads of `dim` values."""

    kv: int
    groups: int
    dim: int

    @property
    def query(self):
        return self.kv * self.groups


def random_inputs(heads, count, size=1.0, seed=0):
    """Queries, keys and values of `count` tokens."""
    rng = np.random.default_rng(seed)
    widths = (heads.query * heads.dim, heads.kv * heads.dim, heads.kv * heads.dim)
    q, k, v = (rng.standard_normal((count, width), np.float32) for width in widths)
    return q * np.float32(size), k, v


def build(
    isa, heads, inputs, *, kv_dtype, threads=1, block_size=16, num_blocks=40, window=0, **ways
):
    """A bench of store_kv and attention.

    `ways`: rotate by `angles`, as `interleaved` says; multiply rows of keys and values by
    `factors` `(count,)`, or numbers of queries, keys or values by `gates` (by their names,
    `(count, width)`); change scores by `scale`, `softcap`, `slopes` and `sinks`.
    """
    cache = Cache(heads.kv, heads.dim, block_size, num_blocks, kv_dtype)
    bench = Bench(isa, len(inputs[0]), threads=threads, cache=cache)
    q, k, v = (bench.input(values) for values in inputs)
    turn = -1
    if "angles" in ways:
        turn = bench.op(
            OpKind.rope_table, 2 * len(ways["angles"]), vector=bench.vector(ways["angles"])
        )
    if "factors" in ways:
        width = heads.kv * heads.dim
        gate = np.repeat(ways["factors"][:, None], width, axis=1)
        k, v = (multiply(bench, x, gate) for x in (k, v))
    if "gates" in ways:
        gates = ways["gates"]
        q, k, v = (
            multiply(bench, x, gates[name]) if name in gates else x
            for name, x in (("query", q), ("key", k), ("value", v))
        )
    pairs = ways.get("interleaved", False)
    bench.program.add_op(
        OpKind.store_kv, a=k, b=v, c=turn, layer=0, heads=heads.kv, interleaved=pairs
    )
    width = heads.query * heads.dim
    size = {"scalar": ways.get("scale", heads.dim**-0.5), "window": window}
    size["softcap"] = ways.get("softcap", 0.0)
    size["rounds_slopes"] = ways.get("rounds_slopes", False)
    size["slopes"] = bench.vector(ways.get("slopes"))
    size["vector"] = bench.vector(ways.get("sinks"))
    out = bench.op(OpKind.attention, width, a=q, layer=0, heads=heads.query, **size)
    return bench.finish(out, width)


def multiply(bench, x, factors):
    """Each number of x by about its factor squared: past float32's range for a factor of 1e30."""
    width = factors.shape[1]
    gate = bench.input(factors.astype(np.float32))
    square = bench.op(OpKind.silu_mul, width, a=gate, b=gate)
    return bench.op(OpKind.silu_mul, width, a=square, b=x)


def shuffled_table(count=40, seed=3):
    return np.random.default_rng(seed).permutation(count).tolist()
