"""SentencePiece's unigram model: the likeliest pieces whose join is the text.

A text's probability is the product of its pieces'; Viterbi's algorithm finds the best ones (Kudo
2018, arXiv 1804.10959). Equal sums are common, and which of them is best depends on how they are
rounded: here as in SentencePiece 0.2.3, to float32 after each piece.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

from foretell.text.tokenizers.place import Place
from foretell.text.tokenizers.sentencepiece import SPACE, SentencePieceCodec
from foretell.text.tokenizers.vocabulary import MergedVocabulary, TokenType

UNKNOWN_PENALTY = 10.0  # a character that is no piece is so much less likely than the least likely
SMALLEST = 2.0**-126
"""The smallest normal float32, which SentencePiece takes for the best score if all are below 0."""


class _Piece(NamedTuple):
    """Its id, None of a character that is none, and the logarithm of its probability."""

    token_id: int | None
    score: float


class UnigramCodec(SentencePieceCodec):
    """Text to ids and ids to bytes for one vocabulary of pieces with probabilities.

    User-defined pieces have a score that no others reach; those of type unused are never taken.
    """

    def __init__(self, vocabulary: MergedVocabulary) -> None:
        super().__init__(vocabulary)
        tokens, scores = vocabulary.tokens, vocabulary.scores
        normal = vocabulary.ids_of(TokenType.NORMAL)
        known = [scores[i] for i in normal]
        best = max(known, default=SMALLEST)
        self._unknown_score = _round(min(known, default=0.0) - UNKNOWN_PENALTY)
        self._pieces = {tokens[i]: _Piece(i, _round(scores[i])) for i in normal}
        for piece, token_id in self._user_defined.items():
            bonus = len(piece.encode()) * max(best, SMALLEST) - 0.1
            self._pieces[piece] = _Piece(token_id, _round(bonus))
        self._longest: dict[str, int] = {}
        for piece in self._pieces:
            self._longest[piece[0]] = max(len(piece), self._longest.get(piece[0], 0))

    def encode(self, text: str, place: Place = Place.START) -> list[int]:
        """Ids of a text that holds no control token, the prefix space included."""
        if not text:
            return []
        text = text.replace(" ", SPACE)
        return self._segment(self._prefix(text, place) + text)

    def _segment(self, text: str) -> list[int]:
        best = self._best_ends(text)
        ends, at = [len(text)], best[len(text)].begin
        while at > 0:
            ends.append(at)
            at = best[at].begin
        ids: list[int] = []
        for end in reversed(ends):
            begin, token_id = best[end]
            if token_id is None:
                self._append_unknown(text[begin:end], ids)
            else:
                ids.append(token_id)
        return ids

    def _best_ends(self, text: str) -> list[_End]:
        """The last piece of the likeliest way to each place of the text."""
        sums = array("f", bytes(4 * (len(text) + 1)))
        ends = [_NOWHERE] * (len(text) + 1)
        pieces, unknown = self._pieces, _Piece(None, self._unknown_score)
        rounded = array("f", [0.0])
        for begin, char in enumerate(text):
            here = sums[begin]
            most = min(len(text), begin + self._longest.get(char, 1))
            for end in range(begin + 1, most + 1):
                piece = pieces.get(text[begin:end], unknown if end == begin + 1 else None)
                if piece is None:
                    continue
                rounded[0] = here + piece.score
                if ends[end] is _NOWHERE or rounded[0] > sums[end]:
                    sums[end] = rounded[0]
                    ends[end] = _End(begin, piece.token_id)
        return ends


class _End(NamedTuple):
    """A piece that ends at a place: where it begins; None: it is a character that is none."""

    begin: int
    token_id: int | None


_NOWHERE = _End(-1, None)


def _round(value: float) -> float:
    """The nearest float32."""
    return array("f", [value])[0]
