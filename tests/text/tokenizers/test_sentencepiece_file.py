"""A `tokenizer.model` gives the ids of the `sentencepiece` package, or is refused in a sentence."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from support.folder_tokenizers import CORPUS
from support.spm_oracle import blob, integer
from transformers import LlamaTokenizer
from transformers.tokenization_utils_base import generate_merges

from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.text.tokenizer import Tokenizer

TEXTS = [
    *CORPUS[:4],
    "",
    " ",
    "  two  spaces ",
    "unseen 字 letters",
    "a<mark>b <mark>",
    "so a b cat",
    "</s><s> names",
    "\n\ttabs\r\n",
    "▁ underscores",
]


def train(**settings: Any) -> bytes:
    usual: dict[str, Any] = {
        "vocab_size": 420,
        "model_type": "bpe",
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "hard_vocab_limit": False,
        "minloglevel": 3,
    }
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3), model_writer=written, **usual | settings
    )
    return written.getvalue()


@pytest.fixture(scope="module")
def model() -> bytes:
    return train(user_defined_symbols=["<mark>", "a b"], control_symbols=["<|end|>"])


def folder_of(model: bytes, folder: Path, **config: Any) -> Path:
    (folder / "tokenizer.model").write_bytes(model)
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    "settings",
    [
        {"user_defined_symbols": ["<mark>", "a b"], "control_symbols": ["<|end|>"]},
        {"add_dummy_prefix": False},
        {"byte_fallback": False, "character_coverage": 0.98},
        {"bos_id": -1, "eos_id": 0, "unk_id": 1},
        {"split_digits": True, "allow_whitespace_only_pieces": True},
    ],
    ids=["symbols", "no prefix", "no bytes", "other ids", "digits"],
)
def test_ids_are_those_of_sentencepiece(settings: dict[str, Any], tmp_path: Path) -> None:
    model = train(**settings)
    ours = Tokenizer.from_folder(folder_of(model, tmp_path))
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert ours.vocab_size == theirs.vocab_size()
    has_begin = theirs.bos_id() >= 0
    assert ours.bos_token_id == (theirs.bos_id() if has_begin else None)
    assert (ours.adds_bos, ours.eos_token_id) == (has_begin, theirs.eos_id())
    for text in TEXTS:
        ids = ours.encode(text, add_special_tokens=False)
        assert ids == theirs.encode(text)
        assert ours.decode(ids, skip_special_tokens=False) == theirs.decode(ids).replace(
            " ⁇ ", "<unk>"
        )


def test_other_files_add_tokens_and_roles(model: bytes, tmp_path: Path) -> None:
    size = Tokenizer.from_folder(folder_of(model, tmp_path)).vocab_size
    folder_of(
        model,
        tmp_path,
        eos_token="<|turn|>",
        add_bos_token=False,
        chat_template="{{ eos_token }}",
        added_tokens_decoder={
            str(size): {"content": "<|turn|>", "special": True},
            str(size + 2): {"content": "<think>", "special": False},
        },
    )
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<more>": size + 3}))
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": size + 8, "eos_token_id": 2}))
    tokenizer = Tokenizer.from_folder(tmp_path)
    assert tokenizer.vocab_size == size + 8
    assert tokenizer.eos_token_id == size
    assert {2, size} <= tokenizer.eos_token_ids
    assert not tokenizer.adds_bos
    assert tokenizer.chat_template == "{{ eos_token }}"
    assert "<|turn|>" in tokenizer.control_names
    assert size + 2 in tokenizer.encode("so <think> more")
    assert size + 3 in tokenizer.encode("so <more>")
    assert tokenizer.encode("<|turn|>", parse_special=True) == [size]


def test_places_kept_free_are_named(tmp_path: Path) -> None:
    model = train(user_defined_symbols=["[UNUSED_1]", "[UNUSED_2]"])
    named = {"4": {"content": "<|turn|>", "special": True}}
    tokenizer = Tokenizer.from_folder(folder_of(model, tmp_path, added_tokens_decoder=named))
    assert tokenizer.encode("<|turn|>", add_special_tokens=False, parse_special=True) == [4]
    assert 4 not in tokenizer.encode("[UNUSED_2] [UNUSED_1]")
    twice = {"9": {"content": "[UNUSED_1]"}}
    with pytest.raises(ModelFileError, match=r"'\[UNUSED_1\]' has id 9: must be 3"):
        Tokenizer.from_folder(folder_of(model, tmp_path, added_tokens_decoder=twice))


def test_versions_of_mistral_are_found(model: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model.v3").write_bytes(model)
    assert Tokenizer.from_folder(tmp_path).encode("The cat")


def test_a_piece_too_many_for_the_model_is_refused(model: bytes, tmp_path: Path) -> None:
    folder_of(model, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 300}))
    with pytest.raises(ModelFileError, match="must have at most 300, the size of the model's"):
        Tokenizer.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"model_type": "char"}, "pieces of kind 'char': must be 'bpe' or 'unigram'"),
        ({"normalization_rule_name": "nmt_nfkc"}, "replaces characters"),
        ({"treat_whitespace_as_suffix": True}, "has treat_whitespace_as_suffix"),
        ({"remove_extra_whitespaces": True}, "removes extra white space"),
    ],
)
def test_other_kinds_are_refused(settings: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        Tokenizer.from_folder(folder_of(train(**settings), tmp_path))


def test_characters_of_decoded_texts_are_not_replaced(tmp_path: Path) -> None:
    rules = tmp_path / "rules.tsv"
    rules.write_text("61\t62\n")  # a becomes b
    model = train(denormalization_rule_tsv=str(rules))
    assert "b" in sentencepiece.SentencePieceProcessor(model_proto=model).decode(["▁a"])
    with pytest.raises(UnsupportedModelError, match="replaces characters of decoded texts"):
        Tokenizer.from_folder(folder_of(model, tmp_path))


def theirs_of(model: bytes, **settings: Any) -> LlamaTokenizer:
    """Transformers' tokenizer of these pieces."""
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
    ids = range(pieces.vocab_size())
    vocab = {pieces.id_to_piece(i): i for i in ids}
    scores = {pieces.id_to_piece(i): -i for i in ids if not pieces.is_byte(i) and i > 2}
    return LlamaTokenizer(vocab, generate_merges(vocab, scores), **settings)


@pytest.mark.parametrize(
    "config",
    [
        {"tokenizer_class": "LlamaTokenizer"},
        {"tokenizer_class": "LlamaTokenizer", "legacy": False},
        {"tokenizer_class": "LlamaTokenizer", "legacy": True},
    ],
    ids=["not said", "not legacy", "legacy"],
)
def test_spaces_go_where_transformers_puts_them(config: dict[str, Any], tmp_path: Path) -> None:
    model = train()
    ours = Tokenizer.from_folder(folder_of(model, tmp_path, **config))
    theirs = theirs_of(model, **{key: config[key] for key in ("legacy",) if key in config})
    for text in ("The cat</s>The dog", " The cat</s> The dog", "</s>The cat</s></s> so", "▁ a"):
        ids = ours.encode(text, add_special_tokens=False, parse_special=True)
        assert ids == theirs.encode(text, add_special_tokens=False)


def test_an_end_after_each_text_is_refused(model: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="add_eos_token is true: must be false"):
        Tokenizer.from_folder(folder_of(model, tmp_path, add_eos_token=True))


def test_damaged_files_are_sentences(model: bytes, tmp_path: Path) -> None:
    pieces = blob(1, blob(1, b"a") + integer(3, 1))
    for damaged in (
        b"",
        b"proto",
        b"\xff" * 40,
        model[: len(model) // 2],
        model[1:],
        pieces + blob(2, integer(3, 9)),
        blob(1, blob(1, b"\xff\xfe")) + pieces,
        blob(1, integer(1, 3)),
        blob(1, blob(2, b"12345")),
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        pieces * 2,
    ):
        with pytest.raises((ModelFileError, UnsupportedModelError)):
            Tokenizer.from_folder(folder_of(damaged, tmp_path))


def test_any_cut_is_refused_or_read(model: bytes, tmp_path: Path) -> None:
    for end in range(0, len(model), 97):
        with contextlib.suppress(ModelFileError, UnsupportedModelError):
            Tokenizer.from_folder(folder_of(model[:end], tmp_path))
