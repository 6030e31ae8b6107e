"""SentencePiece's merging: of two neighbours whose join is a piece, the best score first.

Equal scores go from left to right (Kudo and Richardson 2018, arXiv 1808.06226, BPE model).

Two ways to the same pieces. `merge` works from the scores alone, needs nothing built and takes
2 µs a character. `compile_merges` derives a `tokenizers` model, several times faster, but
building it takes over a second for 260,000 pieces. It is exact for a text in which no pieces of
equal score occur: a piece then comes to be in one way only. For what happens inside the stretch
that becomes the piece does not depend on what lies around it, so the last two parts are always
those into which the piece itself is merged when it stands alone, and the order among its other
divisions cannot matter. Equal scores are common: Llama 2 and Mistral give one to all their runs
of spaces, and there `tokenizers`, whose merges all have different ranks, would go its own way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers.models import BPE

MAX_COMPILE_WORK = 10**9  # characters sliced; Gemma's 255,000 pieces take 10 million
MAX_TIED = 100  # pieces to look for in a text before it is merged the fast way


def merge(text: str, scores: Mapping[str, float], *, but_for: str | None = None) -> list[str]:
    """The pieces into which the characters of `text` are merged; joined, they are the text.

    With `but_for`, as if that piece had no score.
    """
    symbols: list[str] = list(text)
    end = len(symbols)
    after, before = list(range(1, end + 1)), list(range(-1, end - 1))
    queue: list[tuple[float, int, str]] = []
    for left, pair in enumerate(map(str.__add__, symbols, symbols[1:])):
        if pair in scores and pair != but_for:
            queue.append((-scores[pair], left, pair))
    heapify(queue)
    while queue:
        _, left, piece = heappop(queue)
        right = after[left]
        if not symbols[left] or right == end or symbols[left] + symbols[right] != piece:
            continue  # one of the two has been merged since
        symbols[left], symbols[right] = piece, ""
        after[left] = beyond = after[right]
        if beyond < end:
            before[beyond] = left
            if (longer := piece + symbols[beyond]) in scores and longer != but_for:
                heappush(queue, (-scores[longer], left, longer))
        previous = before[left]
        if previous < 0:
            continue
        if (longer := symbols[previous] + piece) in scores and longer != but_for:
            heappush(queue, (-scores[longer], previous, longer))
    return [symbol for symbol in symbols if symbol]


def tied_pieces(scores: Mapping[str, float]) -> list[str]:
    """The pieces that share their score with another, single characters left out."""
    counts = Counter(score for piece, score in scores.items() if len(piece) > 1)
    return [piece for piece, score in scores.items() if len(piece) > 1 and counts[score] > 1]


def can_compile(scores: Mapping[str, float]) -> bool:
    """Whether `compile_merges` is worth its work, and exact for texts without tied pieces."""
    if len(tied_pieces(scores)) > MAX_TIED:
        return False
    if not all(char in scores for char in set().union(*scores)):
        return False
    return sum(len(piece) ** 2 for piece in scores) <= MAX_COMPILE_WORK


def compile_merges(
    scores: Mapping[str, float], ids: Mapping[str, int], byte_ids: Mapping[str, int]
) -> BPE:
    """A `tokenizers` model that merges as `merge` does, given `can_compile(scores)`.

    Args:
        scores: of each piece.
        ids: of each piece.
        byte_ids: of the 256 byte tokens `<0x00>` to `<0xFF>`, for characters that are no piece.
    """
    from tokenizers import models

    merges = []
    for piece in sorted(scores, key=scores.__getitem__, reverse=True):
        for cut in range(1, len(piece)):
            left = piece[:cut]
            if left in scores and (right := piece[cut:]) in scores:
                merges.append((left, right))
    return models.BPE(vocab={**byte_ids, **ids}, merges=merges, byte_fallback=True)
