"""Requests are built and checked once, and settings are copied only where they name texts."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any

import pytest
from support.pieces import piece_metadata
from support.toy import toy_llm, toy_tokenizer

from foretell import GenerationConfig
from foretell.engine.request import Request
from foretell.errors import ContextLengthError
from foretell.inputs.processor import InputProcessor, merge_settings
from foretell.text.tokenizer import Tokenizer


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many requests and configs are built, and requests checked."""
    counts: Counter[str] = Counter()

    def counted(kind: type, name: str, count: str) -> None:
        method = getattr(kind, name)

        def call(self: Any, *arguments: Any, **others: Any) -> Any:
            counts[count] += 1
            return method(self, *arguments, **others)

        monkeypatch.setattr(kind, name, call)

    counted(Request, "__init__", "requests")
    counted(Request, "check", "checks")
    counted(GenerationConfig, "__post_init__", "configs")
    return counts


def processor() -> InputProcessor:
    return InputProcessor(toy_tokenizer(), {}, lambda request: None)


def test_a_greedy_request_is_built_and_checked_once(made: Counter[str]) -> None:
    llm = toy_llm()
    made.clear()
    assert llm.generate("the cat", max_new_tokens=2, ignore_eos=True).token_ids
    assert made == {"requests": 1, "checks": 1, "configs": 1}


def test_a_seed_that_is_drawn_costs_one_config_more(made: Counter[str]) -> None:
    llm = toy_llm()
    made.clear()
    assert llm.generate("the cat", max_new_tokens=2, temperature=0.8).config.seed is not None
    assert made == {"requests": 1, "checks": 1, "configs": 2}


def test_a_whole_config_is_taken_as_it_is(made: Counter[str]) -> None:
    llm, config = toy_llm(), GenerationConfig(temperature=0.8, seed=3, max_new_tokens=2)
    made.clear()
    llm.generate("the cat", config)
    assert made["requests"] == made["checks"] == 1


def test_prompts_of_a_list_are_checked_once(made: Counter[str]) -> None:
    llm = toy_llm()
    made.clear()
    llm.generate(["a", "b", "the cat"], max_new_tokens=2)
    assert made["checks"] == 3


def test_prompts_of_a_list_are_kept_small_until_their_turn() -> None:
    inputs = processor()
    template = inputs.template(inputs.settings(None, {"temperature": 1.0}))
    jobs = list(inputs.prepare(["a", "the cat"], template, parse_special=False))
    assert [job.prompt_index for job in jobs] == [0, 1]
    assert all(isinstance(job.request.prompt, array) for job in jobs)
    assert len({job.config.seed for job in jobs}) == 2
    assert all(job.config.seed == job.request.config.seed for job in jobs)


def test_settings_without_texts_are_the_users_own_object() -> None:
    inputs = processor()
    config = merge_settings(None, {"top_p": 0.5, "stop": ["x"], "seed": 1})
    assert inputs.template(config).tokenized.config is config
    assert inputs.job("a", inputs.template(config), parse_special=False).request.config is config


def test_breakers_are_found_once_and_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[str, ...]] = []

    def find(tokenizer: object, texts: tuple[str, ...]) -> dict[str, Any]:
        found.append(texts)
        return {}

    monkeypatch.setattr("foretell.inputs.processor.find_breakers", find)
    inputs = processor()

    def use(text: str) -> None:
        wishes = {"dry_multiplier": 0.8, "dry_sequence_breakers": [text]}
        inputs.template(inputs.settings(None, wishes))

    for number in range(40):
        use(f"{number}")
        use(f"{number}")
    assert len(found) == 40
    use("0")
    assert len(found) == 41


def test_texts_in_settings_become_ids_in_a_chain_of_the_users_own() -> None:
    inputs = processor()
    wishes = {
        "bad_words": ["cat"],
        "logit_bias": {"dog": 1.0},
        "processors": ["bad_words", "logit_bias"],
    }
    tokenized = inputs.template(inputs.settings(None, wishes)).tokenized.config
    assert tokenized.processors == ("bad_words_ids", "sequence_bias", "logit_bias")
    assert tokenized.bad_words is None
    assert list(tokenized.sequence_bias.values()) == [1.0]


def test_bad_words_are_found_in_the_middle_of_a_text_with_and_without_a_space() -> None:
    """Though the tokenizer puts a space before a text of its own."""
    metadata = piece_metadata()
    tokens = metadata["tokenizer.ggml.tokens"]
    tokenizer = Tokenizer.from_gguf(metadata, source="pieces")
    inputs = InputProcessor(tokenizer, {}, lambda request: None)
    tokenized = inputs.template(inputs.settings(None, {"bad_words": ["hell"]})).tokenized.config
    spelled = [[tokens[i] for i in ids] for ids in tokenized.bad_words_ids or ()]
    assert spelled == [["he", "ll"], ["▁he", "ll"]]


@pytest.mark.parametrize(
    ("prompt", "wishes", "message"),
    [
        (
            "a" * 90_000,
            {},
            "^a prompt of 90000 characters: at least 10000 tokens, but the context has",
        ),
        (
            ["a", "b" * 90_000],
            {},
            r"^prompts\[1\]: a prompt of 90000 characters: at least 10000 tokens",
        ),
        (
            "a",
            {"guidance_scale": 2.0, "negative_prompt": "a" * 90_000},
            "^a negative prompt of 90000 characters: at least 10000 tokens, but the context has",
        ),
    ],
)
def test_what_cannot_fit_is_refused_before_it_is_encoded(
    prompt: Any, wishes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = toy_llm()
    encode = llm.tokenizer.encode
    encoded: list[str] = []

    def note(text: str, **how: Any) -> list[int]:
        encoded.append(text)
        return encode(text, **how)

    monkeypatch.setattr(llm.tokenizer, "encode", note)
    with pytest.raises(ContextLengthError, match=message):
        llm.generate(prompt, max_new_tokens=1, **wishes)
    assert max(map(len, encoded), default=0) < 90_000
