"""Settings and prompts of every kind of value: kept in Python's own types, or refused in a line."""

from __future__ import annotations

import copy
import json
import math
import pickle
import sys
from collections import deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.toy import VOCAB_SIZE, toy_llm, toy_tokenizer

from foretell import ConfigError, ForetellError, GenerationConfig, RequestError
from foretell.config.plain import integer, number
from foretell.config.settings import RANGES, SETTINGS, TOKEN_IDS_OF
from foretell.config.values import Notation, Values
from foretell.inputs.processor import InputProcessor

BEYOND = VOCAB_SIZE  # the first id that there is not


@pytest.fixture(scope="module")
def llm():
    with toy_llm() as model:
        yield model


# Numbers of numpy and torch.

FLOATS = (np.float16, np.float32, np.float64, np.longdouble, np.array, lambda x: np.array([[x]]))
INTS = (np.int8, np.uint16, np.int64, np.array, lambda x: np.array([x]))


@pytest.mark.parametrize("make", FLOATS)
@pytest.mark.parametrize("name", [name for name, span in RANGES.items() if span.kind is float])
def test_numpys_numbers_count_in_every_setting(name: str, make: Any) -> None:
    value = max(0.5, RANGES[name].low)
    kept = RANGES[name].check(name, make(value))
    assert type(kept) is float
    assert kept == value


@pytest.mark.parametrize("make", INTS)
@pytest.mark.parametrize("name", [name for name, span in RANGES.items() if span.kind is int])
def test_numpys_integers_count_in_every_setting(name: str, make: Any) -> None:
    kept = RANGES[name].check(name, make(2))
    assert type(kept) is int
    assert kept == 2


def test_a_float32_keeps_its_own_value() -> None:
    assert GenerationConfig(temperature=np.float32(0.7)).temperature == float(np.float32(0.7))


@pytest.mark.parametrize("value", [Fraction(1, 2), Decimal("0.5")])
def test_other_kinds_of_numbers_are_numbers(value: object) -> None:
    assert GenerationConfig(temperature=value).temperature == 0.5


@pytest.mark.parametrize(
    "value", [np.array([1, 2]), np.array([]), np.bool_(True), "1", np.str_("1"), 1j, [1], None]
)
def test_what_is_no_number(value: object) -> None:
    assert integer(value) is None
    assert number(value) is None


def written_as(notation: Notation) -> list[str]:
    """The settings whose values are of this kind."""
    rows = {name: row.values for name, row in SETTINGS.items()}
    return [name for name, x in rows.items() if isinstance(x, Values) and x.notation is notation]


FLAGS = written_as(Notation.FLAG)
LISTS = written_as(Notation.TOKEN_IDS)


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("make", [np.bool_, np.array])
def test_numpys_truth_values(name: str, make: Any) -> None:
    check = SETTINGS[name].values.check
    assert check(name, make(True)) is True
    assert check(name, make(False)) is False
    with pytest.raises(ConfigError, match=f"{name}=.* must be True or False"):
        check(name, np.array([True, False]))


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "make", [np.array, tuple, deque, lambda ids: dict.fromkeys(ids).keys(), lambda ids: {*ids}]
)
def test_token_ids_may_come_in_any_collection(name: str, make: Any) -> None:
    kept = SETTINGS[name].values.check(name, make([1, 2]))
    assert kept == (1, 2)
    assert {*map(type, kept)} == {int}


def test_arrays_in_other_settings() -> None:
    config = GenerationConfig(
        bad_words_ids=np.array([[1, 2], [3, 4]]),
        logit_bias={np.int64(3): np.float32(1.5)},
        sequence_bias={(np.int64(1), np.int64(2)): np.float64(-1)},
        exponential_decay_length_penalty=(np.int64(3), np.float32(1.5)),
        repetition_detection={"min_count": np.int64(3)},
        stop=np.array(["a", "b"]),
        penalty_scope=np.int64(7),
        repetition_penalty=np.float64(1.25),
        seed=np.uint64(2**64 - 1),
        preset=np.str_("chat"),
    )
    assert config.bad_words_ids == ((1, 2), (3, 4))
    assert config.logit_bias == {3: 1.5}
    assert config.stop == ("a", "b")
    assert config.seed == 2**64 - 1
    told = json.loads(json.dumps(config.as_dict()))
    assert GenerationConfig(**told) == config, "what JSON holds can be given again"
    assert pickle.loads(pickle.dumps(config)) == copy.copy(config) == copy.deepcopy(config)


def test_what_bans_is_told_in_json_and_read_again() -> None:
    config = GenerationConfig(
        logit_bias={3: -math.inf, "the": 1}, sequence_bias={(1, 2): -math.inf}
    )
    assert GenerationConfig(**json.loads(json.dumps(config.as_dict()))) == config


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"penalty_scope": np.array([1, 2])}, "penalty_scope=.* must be 'prompt', 'output', 'all'"),
        ({"early_stopping": np.array([1, 2])}, "early_stopping=.* must be True, False or 'never'"),
        ({"dialect": np.array(["a", "b"])}, "dialect=.* must be a string"),
        ({"top_k": np.array([1, 2])}, "top_k=.* must be an integer"),
        ({"top_k": np.array([])}, "top_k=.* must be an integer"),
    ],
)
def test_an_array_of_several_where_one_value_is_meant(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GenerationConfig(**given)


def test_a_loop_s_sizes_are_no_truth_values() -> None:
    with pytest.raises(ConfigError, match="max_pattern_size=True must be an integer"):
        GenerationConfig(repetition_detection={"max_pattern_size": True})


# Numbers without end.


def len_of(value: int) -> str:
    return f"{value.bit_length()} bits"


@pytest.mark.filterwarnings("ignore::foretell.SettingWarning")
@pytest.mark.parametrize("name", [name for name, span in RANGES.items() if span.high == math.inf])
@pytest.mark.parametrize("value", [sys.maxsize, 2**63, 2**64, 10**400, 10**5000], ids=len_of)
def test_a_count_may_be_of_any_size(llm: Any, name: str, value: int) -> None:
    needed = {"dry_multiplier": 1.0} if name.startswith("dry") else {}
    config = GenerationConfig(**{name: value}, **needed)
    assert len(json.dumps(config.as_dict())) < 200
    plain = {} if name.startswith("m") else {"max_new_tokens": 3}
    wishes = {name: value, **needed, **plain, "seed": 1, "ignore_eos": True}
    if name in ("max_new_tokens", "max_length"):  # as any limit above the context's
        with pytest.raises(RequestError, match=rf"{name}=2\*\*63 - 1 or more") as caught:
            llm.generate("the", **wishes)
        assert len(str(caught.value)) < 250
    else:
        assert llm.generate("the", **wishes).token_ids


@pytest.mark.parametrize("scope", [sys.maxsize, 2**63, 10**400], ids=len_of)
def test_a_scope_may_be_of_any_size(llm: Any, scope: int) -> None:
    wishes = {"repetition_penalty": 1.5, "max_new_tokens": 5}
    found = llm.generate("the cat", penalty_scope=scope, **wishes)
    assert found.token_ids == llm.generate("the cat", penalty_scope="all", **wishes).token_ids


# Ids that the vocabulary lacks.

WITH_IDS: dict[str, Any] = {
    **{name: lambda token: [token] for name in LISTS},
    "forced_bos_token_id": lambda token: token,
    "bad_words_ids": lambda token: [[1, token]],
    "logit_bias": lambda token: {token: 1.0},
    "sequence_bias": lambda token: {(1, token): 1.0},
    "force_words": lambda token: [[[token], [1, token]]],
}
NEEDED = {
    "xtc_exempt_tokens": {"xtc_probability": 0.5},
    "penalty_exempt_tokens": {"repetition_penalty": 1.1},
    "forced_eos_token_id": {"max_new_tokens": 2},
    "force_words": {"num_beams": 2},
}


def test_every_setting_with_ids_is_tried() -> None:
    assert {*WITH_IDS} == {*TOKEN_IDS_OF}


@pytest.mark.parametrize("name", WITH_IDS)
def test_ids_beyond_the_vocabulary_are_refused(llm: Any, name: str) -> None:
    given = NEEDED.get(name, {})
    message = f"{name} has the token id {BEYOND}: must be below the vocabulary size {VOCAB_SIZE}"
    with pytest.raises(ConfigError, match=message):
        llm.generate("the", **{"max_new_tokens": 1, **given, name: WITH_IDS[name](BEYOND)})
    last = WITH_IDS[name](BEYOND - 1)
    assert llm.generate("the", **{"max_new_tokens": 1, **given, name: last}) is not None


def test_the_vocabulary_is_what_the_model_has_logits_for() -> None:
    def processor(vocab_size: int) -> InputProcessor:
        return InputProcessor(toy_tokenizer(), {}, lambda request: None, vocab_size)

    given = {"suppress_tokens": [VOCAB_SIZE + 8]}  # in the padding of the model's vocabulary
    assert processor(VOCAB_SIZE + 9).settings(None, given)
    with pytest.raises(ConfigError, match="suppress_tokens has the token id"):
        processor(VOCAB_SIZE).settings(None, given)


def test_ids_of_a_model_s_own_files_that_it_lacks_are_passed_over() -> None:
    files = {"do_sample": False, "eos_token_id": [3, 10**6], "suppress_tokens": [10**6]}
    inputs = InputProcessor(toy_tokenizer(), files, lambda request: None)
    config = inputs.settings(None, {"preset": "model"})
    assert config.eos_token_id == (3,)
    assert config.suppress_tokens is None
    assert inputs.settings(config, {}) == config
    with pytest.raises(ConfigError, match="suppress_tokens has the token id 1000000"):
        inputs.settings(None, {"preset": "model", "suppress_tokens": [10**6]})


# logit_bias as OpenAI's clients send it.


def test_digits_are_a_token_id_as_in_openais_json(llm: Any) -> None:
    first = llm.generate("the cat", max_new_tokens=1).token_ids[0]
    banned = llm.generate("the cat", max_new_tokens=1, logit_bias={str(first): -100}).token_ids
    assert banned == llm.generate("the cat", max_new_tokens=1, suppress_tokens=[first]).token_ids
    assert banned != [first]
    with pytest.raises(ConfigError, match=f"logit_bias has the token id {BEYOND}"):
        llm.generate("the", logit_bias={str(BEYOND): -100})


def test_digits_in_quotes_are_a_text() -> None:
    inputs = InputProcessor(toy_tokenizer(), {}, lambda request: None)
    (one,) = toy_tokenizer().encode("7", add_special_tokens=False)
    template = inputs.template(inputs.settings(None, {"logit_bias": {'"7"': -1.0}}))
    assert template.tokenized.config.logit_bias == {one: -1.0}


def test_a_token_has_one_bias() -> None:
    with pytest.raises(ConfigError, match=r"logit_bias=.* names a token twice"):
        GenerationConfig(logit_bias={"7": 1.0, 7: 2.0})


# Prompts.


def test_prompts_may_be_arrays(llm: Any) -> None:
    ids = llm.tokenizer.encode("the cat")
    expected = llm.generate(ids, max_new_tokens=3).token_ids
    assert llm.generate(np.array(ids), max_new_tokens=3).token_ids == expected
    assert llm.generate([*map(np.int64, ids)], max_new_tokens=3).token_ids == expected
    for several in (np.array([ids, ids]), [np.array(ids), ids], (np.array(ids),) * 2):
        found = llm.generate(several, max_new_tokens=3)
        assert [one.token_ids for one in found] == [expected] * 2
    assert llm.score(np.array(ids)) == llm.score(ids)
    texts = llm.generate(np.array(["the cat", "the"]), max_new_tokens=3)
    assert texts[0].token_ids == expected


@pytest.mark.parametrize(
    "prompt", [np.array([1.5]), np.array(3), [True], {1: 2}, {1, 2}, b"the", 7, None, object()]
)
def test_what_is_no_prompt(llm: Any, prompt: Any) -> None:
    with pytest.raises(RequestError, match="must be a str, a list of token ids"):
        llm.generate(prompt)


@pytest.mark.parametrize("prompts", [["the", "cat"], ["the"], [[1], [2]]])
def test_what_looks_at_one_prompt_says_so_of_a_list(llm: Any, prompts: list[Any]) -> None:
    for ask in (llm.next, llm.score, llm.compare, llm.explain, llm.beams, llm.alternatives):
        with pytest.raises(RequestError, match="is a list of prompts: must be one of them"):
            ask(prompts)


def test_sums_in_messages_add_up(llm: Any) -> None:
    context = llm.info.context_length
    says = f"but the context has {context}$"
    for wishes, asked in (
        ({"max_length": context + 9}, f"with max_length={context + 9}: {context + 9}"),
        ({"max_new_tokens": context}, f"and max_new_tokens={context}: {context + 2}"),
        (
            {"max_new_tokens": 2 * context, "max_length": context + 9},
            f"with max_length={context + 9}: {context + 9}",
        ),
    ):
        with pytest.raises(RequestError, match=f"^a prompt of 2 tokens {asked} positions, {says}"):
            llm.generate([1, 2], **wishes)
    longer = f"less the 3 tokens by which the negative prompt is longer, has {context - 3}$"
    wishes = {"negative_prompt": [1] * 5, "guidance_scale": 2, "max_new_tokens": context - 2}
    with pytest.raises(RequestError, match=longer):
        llm.generate([1, 2], **wishes)


# Attack.


class Hostile:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def _fail(self, *_: object, **__: object) -> Any:
        raise RuntimeError("no")

    __repr__ = __index__ = __float__ = __len__ = __iter__ = __contains__ = _fail
    __bool__ = __eq__ = __ne__ = __hash__ = __lt__ = __le__ = __gt__ = __ge__ = _fail  # type: ignore[assignment]
    item = tolist = keys = __getitem__ = _fail


class LongRepr:
    def __repr__(self) -> str:
        return "\x1b[31m\n" * 5000


NASTY: list[Any] = [
    *(None, "", "x", "\x00", "\ud800", "7" * 400, [], (), {}, set(), b"", b"\xff" * 900),
    *(math.nan, math.inf, -math.inf, -0.0, 0.5, 1e308, -1e308, 5e-324, 10**400, -(10**400)),
    *(10**5000, -(10**5000), 2**63, 2**64, -1, 0, 1, True, False, 1j, Ellipsis),
    *(np.array([]), np.array(0.7), np.array([1, 2]), np.array([[1, 2], [3, 4]])),
    *(np.array(["a"]), np.array([None]), np.float32(0.7), np.int64(5), np.bool_(True)),
    *(np.float64("nan"), np.datetime64("2020"), np.complex64(1), np.arange(5000), range(3)),
    *(Decimal("sNaN"), Decimal("1e400"), Fraction(10**400), np.zeros((0, 3)), np.str_("x")),
    *(Hostile(), [Hostile()], {1: Hostile()}, LongRepr(), [LongRepr()], {LongRepr(): 1}),
    *({"x": 1}, {1: "x"}, {(): 1}, {"": 1}, {(1,): math.nan}, {-1: 1}, {"5": None}, {None: 1}),
    *([[]], [[1], []], [["x"]], [None], ["x", 1], [[10**400]], [1.5], {"min_count": 1}, ["x"]),
]
"""What nobody means, and what somebody may."""


def _told(error: ForetellError) -> None:
    message = str(error)
    assert len(message) <= 450, message
    assert "\n" not in message
    assert "\x1b" not in message


@pytest.mark.parametrize("index", range(len(NASTY)))
def test_any_value_of_any_setting_is_fine_or_refused(index: int) -> None:
    for name in SETTINGS:
        try:
            config = GenerationConfig(**{name: NASTY[index]})
        except ConfigError as error:
            _told(error)
        else:
            json.dumps(config.as_dict())
            assert len("".join(config.warnings)) < 300


@pytest.mark.filterwarnings("ignore::foretell.SettingWarning")
@pytest.mark.parametrize("index", range(len(NASTY)))
def test_any_value_of_any_setting_runs_or_is_refused(llm: Any, index: int) -> None:
    for name in SETTINGS:
        wishes = {"temperature": 1.0, "seed": 1, "max_new_tokens": 2, name: NASTY[index]}
        try:
            llm.generate([1, 2], **wishes)
        except ForetellError as error:
            _told(error)


@pytest.mark.parametrize("index", range(len(NASTY)))
def test_any_prompt_is_one_or_is_refused(llm: Any, index: int) -> None:
    try:
        llm.generate(NASTY[index], max_new_tokens=1)
    except ForetellError as error:
        _told(error)


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from([*SETTINGS]),
    value=st.one_of(
        *(st.integers(), st.floats(), st.text(max_size=5)),
        st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=2)), max_size=3),
        st.dictionaries(st.one_of(st.integers(), st.text(max_size=2)), st.floats(), max_size=2),
    ),
)
def test_values_at_random_are_fine_or_refused(name: str, value: Any) -> None:
    try:
        config = GenerationConfig(**{name: value})
    except ConfigError as error:
        _told(error)
    else:
        assert GenerationConfig(**json.loads(json.dumps(config.as_dict()))) == config
