"""Receipts: what they hold, in files and back, and what of strangers' is refused."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.toy import toy_llm

import foretell
from foretell import GenerationConfig, Receipt, ReceiptError, RequestError
from foretell.receipts import load_receipts, save_receipts
from foretell.receipts import receipt as module

WISHES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"temperature": 0.8, "seed": 3},
    "drawn seed": {"top_p": 0.9},
    "preset": {"preset": "creative"},
    "dialect": {"dialect": "llama.cpp", "temperature": 1.1},
    "biases": {"logit_bias": {" cat": -2.5, 7: float("-inf")}, "sequence_bias": {(3, 4): 1.5}},
    "beams": {"num_beams": 3, "early_stopping": "never", "length_penalty": 0.5},
    "words": {"num_beams": 2, "force_words": ["cat", ["the", "a"], [[5, 6]]]},
    "penalties": {"repetition_penalty": 1.2, "penalty_scope": 16, "no_repeat_ngram_size": 3},
    "stops": {"stop": ["x", "yz"], "stop_regex": "q+", "repetition_detection": True},
    "schema": {"json_schema": {"type": "object", "properties": {"b": {}, "a": {}}}},
    "marked": {"watermark": {"bias": 1.5}, "temperature": 1.0},
    "lengths": {"min_new_tokens": 2, "exponential_decay_length_penalty": (3, 1.1)},
    "reports": {"logprobs": 2, "logprobs_stage": ("final", "raw"), "temperature": 0.7},
    "guided": {"guidance_scale": 1.5, "negative_prompt": [4, 5]},
    "chain": {"processors": ["temperature", "top_k"], "temperature": 0.5, "top_k": 5},
}


def made(**settings: Any) -> Receipt:
    with toy_llm(num_blocks=200) as llm:
        output = llm.generate("the cat", **{"max_new_tokens": 6, **settings})
        return (output[0] if isinstance(output, list) else output).receipt


@pytest.mark.parametrize("settings", WISHES.values(), ids=WISHES)
def test_settings_are_the_same_after_json(settings: dict[str, Any]) -> None:
    config = GenerationConfig(max_new_tokens=4, **settings).with_seed()
    plain = json.loads(json.dumps({**config.as_dict(), "dialect": config.dialect}))
    receipt = replace(made(), settings=plain, stated=tuple(config.stated))
    again = receipt.config()
    assert again.as_dict() == config.as_dict()
    assert again.stated.keys() == config.stated.keys()
    assert (receipt.seed, receipt.dialect) == (config.seed, config.dialect)


def test_it_says_what_was_asked_for_and_what_came() -> None:
    with toy_llm(num_blocks=200) as llm:
        asked = {"max_new_tokens": 6, "ignore_eos": True, "temperature": 1.5}
        output = llm.generate("the cat", logprobs=2, **asked)
        receipt = output.receipt
        assert output.receipt is receipt
    assert (receipt.foretell, receipt.seed) == (foretell.__version__, output.config.seed)
    assert receipt.prompt_token_ids == tuple(output.prompt_token_ids)
    assert (receipt.token_ids, receipt.text) == (tuple(output.token_ids), output.text)
    assert receipt.settings["dialect"] == "transformers"
    assert (receipt.model.name, receipt.model.sha256) == (None, None)  # it is an object
    assert (receipt.stop_kind, receipt.stop_value) == ("max_new_tokens", 6)
    assert output.logprobs is not None
    assert receipt.logprobs is not None
    for fact, entry in zip(receipt.logprobs, output.logprobs, strict=True):
        assert fact.logprob == entry.logprob
        assert fact.top == tuple((one.token_id, one.logprob) for one in entry.top)


def test_it_costs_an_output_nothing_and_shows_in_none() -> None:
    with toy_llm(num_blocks=200) as llm:
        output = llm.generate("the cat", max_new_tokens=2)
        other = llm.generate("the cat", max_new_tokens=2)
    assert "receipt" not in vars(output)
    assert not {"receipt", "origin"} & output.to_dict().keys()
    assert "origin" not in repr(output)
    assert replace(output, usage=other.usage) == other
    assert pickle.loads(pickle.dumps(output)).receipt == output.receipt
    assert copy.deepcopy(output).receipt == output.receipt


def test_an_output_from_nowhere_has_none() -> None:
    with toy_llm(num_blocks=200) as llm:
        output = llm.generate("the cat", max_new_tokens=2)
    with pytest.raises(RequestError, match="has no receipt"):
        _ = replace(output, origin=None).receipt


def test_files(tmp_path) -> None:
    first, second = made(logprobs=1), made(temperature=0.5)
    path = tmp_path / "receipt.json"
    first.save(path)
    assert Receipt.load(path) == first
    assert Receipt.from_json(first.to_json()) == first
    assert path.read_text().count("\n") == 1
    path.write_text(json.dumps(first.to_dict(), indent=2) + "\n" + second.to_json())
    assert load_receipts(path) == [first, second]
    save_receipts([second, first], path)
    assert load_receipts(path) == [second, first]
    with pytest.raises(ReceiptError, match="there are 2 receipts"):
        Receipt.load(path)


@pytest.mark.parametrize("limit", ["MAX_BYTES", "MAX_RECEIPTS"])
def test_what_could_not_be_read_again_is_not_written(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "receipt.json"
    monkeypatch.setattr(module, limit, 1)
    with pytest.raises(ReceiptError, match=r"would have 2 receipts in .*: must have at most"):
        save_receipts([made(), made()], path)
    assert not path.exists()


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "format": ({"format": 2}, "format is 2: must be 1"),
    "no format": ({"format": None}, "format is None"),
    "unknown field": ({"path": "/etc/passwd"}, "path is '/etc/passwd': must be absent"),
    "ids": ({"token_ids": [1, "2"]}, r"token_ids\[1\] is '2': must be a number"),
    "negative ids": ({"prompt_token_ids": [-1]}, r"prompt_token_ids\[0\] is -1"),
    "true as id": ({"token_ids": [True]}, r"token_ids\[0\] is True"),
    "huge id": ({"token_ids": [10**400]}, r"token_ids\[0\] is an integer of about 400 digits"),
    "no list": ({"token_ids": {"a": 1}}, "must be a list"),
    "settings": ({"settings": []}, "settings is .*: must be an object"),
    "no dialect": ({"settings": {}}, "settings.dialect is None"),
    "no setting": ({"settings": {"dialect": "x", "tempurature": 1}}, "settings.tempurature"),
    "stated": ({"stated": ["seed"]}, "stated is 'seed': must be the name of one of its settings"),
    "functions": ({"functions": ["temperature"]}, r"functions\[0\] is 'temperature'"),
    "finish": ({"finish_reason": ["stop"]}, "finish_reason is"),
    "score": ({"score": "9"}, "score is '9': must be a number"),
    "logprobs": ({"logprobs": []}, "logprobs is '0 entries': must be 2"),
    "model": ({"model": None}, "model is None: must be an object"),
    "long": ({"foretell": "x" * 5000}, "foretell is 'x+'…: must be a text of at most 4096"),
}


@pytest.mark.parametrize(("changes", "message"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_receipt_is_refused(changes: dict[str, Any], message: str) -> None:
    data = {**made(max_new_tokens=2).to_dict(), **changes}
    with pytest.raises(ReceiptError, match=message):
        Receipt.from_json(json.dumps(data))


@pytest.mark.parametrize("name", ["model", "settings", "token_ids", "finish_reason", "num_tokens"])
def test_what_is_missing_is_named(name: str) -> None:
    data = made(max_new_tokens=2).to_dict()
    del data[name]
    with pytest.raises(ReceiptError, match=f"{name} is None: must be there"):
        Receipt.from_json(json.dumps(data))


@pytest.mark.parametrize("name", ["sha256", "tokenizer_sha256", "options", "adapters", "weights"])
def test_a_model_of_another_kind_is_refused(name: str) -> None:
    data = made(max_new_tokens=2).to_dict()
    data["model"][name] = {"a": [1]}
    with pytest.raises(ReceiptError, match=f"model.{name}"):
        Receipt.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 receipts"),
        ("{", "is not JSON"),
        ("[]", "holds a list"),
        ("nonsense", "is not JSON"),
        ('{"format": NaN}', "format is nan"),
        ("[" * 100_000, "is not JSON"),
        ('{"format": 1, "format": 1}', "appears twice"),
        ('{"format": "\\ud800"}', "surrogate"),
        ("1" * 5000, "is not JSON"),
    ],
)
def test_what_is_no_json_is_refused(text: str, message: str, tmp_path) -> None:
    with pytest.raises(ReceiptError, match=message):
        Receipt.from_json(text)
    (tmp_path / "receipt.json").write_text(text)
    with pytest.raises(ReceiptError, match=message):
        Receipt.load(tmp_path / "receipt.json")


def test_a_receipt_cut_anywhere_is_refused() -> None:
    text = made(max_new_tokens=2, logprobs=1).to_json()
    for end in range(0, len(text), 37):
        with pytest.raises(ReceiptError):
            Receipt.from_json(text[:end])


def test_files_that_are_none_are_refused(tmp_path, monkeypatch) -> None:
    with pytest.raises(ReceiptError, match="is missing"):
        Receipt.load(tmp_path / "nothing.json")
    with pytest.raises(ReceiptError, match="not a regular file"):
        Receipt.load(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ReceiptError, match="must be UTF-8"):
        Receipt.load(tmp_path / "bytes")
    monkeypatch.setattr("foretell.receipts.receipt.MAX_BYTES", 10)
    (tmp_path / "large").write_text(" " * 11)
    with pytest.raises(ReceiptError, match="must have at most 10"):
        Receipt.load(tmp_path / "large")
