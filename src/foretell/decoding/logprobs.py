"""Reports of chosen tokens: their log-probabilities and ranks, in float64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from foretell.decoding.ranks import top_ids
from foretell.decoding.softmax import log_normalizer
from foretell.outputs import LogprobStage
from foretell.utils.arrays import Logits


@dataclass(frozen=True)
class RankedToken:
    """A token, its natural-log probability, and its rank: 1 + the number of likelier tokens."""

    token_id: int
    logprob: float
    rank: int


@dataclass(frozen=True)
class TokenReport:
    """What the raw model thought of one chosen token, and of the likeliest ones beside it."""

    chosen: RankedToken
    top: tuple[RankedToken, ...] = ()


NO_REPORTS: Mapping[LogprobStage, TokenReport] = MappingProxyType({})
"""Of a token whose log-probabilities were not asked for."""


def report(row: Logits, token_id: int, num_top: int) -> TokenReport:
    """Report the chosen token and the `num_top` likeliest under softmax(row)."""
    normalizer = log_normalizer(row)
    rank = 1 + int(np.count_nonzero(row > row[token_id]))
    chosen = RankedToken(token_id, float(row[token_id]) - normalizer, rank)
    ids = top_ids(row, num_top)
    falling = -row[ids].astype(np.float64)
    ranks = 1 + np.searchsorted(falling, falling, side="left")
    columns = zip(ids.tolist(), (-falling - normalizer).tolist(), ranks.tolist(), strict=True)
    return TokenReport(chosen, tuple(RankedToken(*column) for column in columns))
