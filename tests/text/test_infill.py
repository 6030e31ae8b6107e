"""Tokens around a gap: found by name or as a file states them, and the prompt made of them."""

from __future__ import annotations

import pytest
from support.pieces import piece_metadata
from support.toy import TOKENS, toy_metadata, toy_tokenizer

from foretell.errors import RequestError
from foretell.text.infill import infill_ids, require_marks
from foretell.text.infill_marks import KINDS
from foretell.text.tokenizer import Tokenizer

FIRST = len(TOKENS)


def tokenizer_with(names, *, types=None, more=None, base=toy_metadata):
    """The toy tokenizer with some more tokens."""
    metadata = base()
    metadata["tokenizer.ggml.tokens"] = [*metadata["tokenizer.ggml.tokens"], *names]
    kinds = metadata["tokenizer.ggml.token_type"]
    metadata["tokenizer.ggml.token_type"] = [*kinds, *(types or [3] * len(names))]
    if "tokenizer.ggml.scores" in metadata:
        metadata["tokenizer.ggml.scores"] += [0.0] * len(names)
    return Tokenizer.from_gguf(metadata | (more or {}), source="toy")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("types", [[3, 3, 3], [1, 1, 1], [4, 4, 4]])
def test_each_kind_is_found_by_its_names(kind, types):
    names = [name for name in kind if name is not None]
    tokenizer = tokenizer_with(names, types=types[: len(names)])
    marks = require_marks(tokenizer)
    assert (marks.prefix, marks.suffix) == (FIRST, FIRST + 1)
    assert {marks.prefix, marks.suffix} <= marks.ends
    before, after = tokenizer.encode("the "), tokenizer.encode(" cat")
    if marks.middle is None:
        expected = [marks.suffix, *after, marks.prefix, *before]
    else:
        expected = [marks.prefix, *before, marks.suffix, *after, marks.middle]
    assert infill_ids(tokenizer, "the ", " cat") == expected


@pytest.mark.parametrize(
    "names", [("fim_pre", "fim_suf", "fim_mid"), ("prefix", "suffix", "middle")]
)
def test_ids_that_a_file_states_are_taken(names):
    stated = {f"tokenizer.ggml.{name}_token_id": FIRST + 2 - at for at, name in enumerate(names)}
    tokenizer = tokenizer_with(["<a>", "<b>", "<c>"], more=stated)
    marks = require_marks(tokenizer)
    assert (marks.prefix, marks.suffix, marks.middle) == (FIRST + 2, FIRST + 1, FIRST)


def test_ids_that_are_not_there_are_passed_over():
    stated = {f"tokenizer.ggml.fim_{part}_token_id": -1 for part in ("pre", "suf", "mid")}
    assert tokenizer_with([], more=stated).infill_marks is None


def test_names_in_the_texts_are_text():
    tokenizer = tokenizer_with([*KINDS[0]])
    ids = infill_ids(tokenizer, "<|fim_suffix|>", "")
    assert ids.count(FIRST + 1) == 1


def test_other_ends_are_known_too():
    tokenizer = tokenizer_with([*KINDS[0], "<|file_sep|>", "<|fim_pad|>"])
    assert {FIRST + 3, FIRST + 4} <= require_marks(tokenizer).ends


def test_sentencepiece_puts_no_space_before_the_suffix():
    tokenizer = tokenizer_with([*KINDS[4]], base=piece_metadata)
    ids = infill_ids(tokenizer, "he", "he")
    first = tokenizer.vocab_size - 3
    middle = ids[ids.index(first) + 1 : -1]
    cut = middle.index(first + 1)
    assert tokenizer.token_bytes(middle[0]) == b" he"
    assert [tokenizer.token_bytes(one) for one in middle[cut + 1 :]] == [b"he"]
    assert ids[0] == tokenizer.bos_token_id


def test_a_model_without_marks_is_named():
    with pytest.raises(RequestError, match="no tokens for a gap: must have"):
        infill_ids(toy_tokenizer(), "a", "b")


@pytest.mark.parametrize("text", [None, 3, "\ud800"])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(RequestError, match="suffix must be a text"):
        infill_ids(tokenizer_with([*KINDS[0]]), "a", text)
