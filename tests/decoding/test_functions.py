"""Users' functions: in whichever form they come, and named where they are wrong."""

from __future__ import annotations

import functools
import re
import sys
from typing import Any

import numpy as np
import pytest
from support.processor_rows import Past
from support.toy import VOCAB_SIZE, toy_llm

from foretell import ConfigError, GenerationConfig, NumericalError
from foretell.config.settings import SETTINGS
from foretell.config.values import Notation, Values
from foretell.decoding.functions import check_functions, read_function
from foretell.decoding.processors.custom import UserProcessor
from foretell.decoding.stopping import StoppingCriteria

FUNCTIONS = [name for name, row in SETTINGS.items() if row.forms]


class Theirs:
    def __call__(self, input_ids, scores, **kwargs):
        return scores


def wrapped(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


FORMS = [
    ("logits_processor", lambda row: None, (1, False)),
    ("logits_processor", lambda row, history: None, (2, False)),
    ("logits_processor", lambda row, history=None: None, (2, False)),
    ("logits_processor", lambda row, strength=2.0: None, (1, False)),
    ("logits_processor", functools.partial(lambda k, row: None, 3), (1, False)),
    ("logits_processor", lambda input_ids, scores: scores, (2, True)),
    ("logits_processor", lambda ids, scores: scores, (2, True)),
    ("logits_processor", Theirs(), (2, True)),
    ("logits_processor", wrapped(lambda row, history: None), (2, False)),
    ("processors", Theirs(), (2, True)),
    ("processors", lambda row: None, (1, False)),
    ("prefix_allowed_tokens_fn", lambda ids: ids, (1, False)),
    ("prefix_allowed_tokens_fn", lambda input_ids: [1], (1, False)),
    ("prefix_allowed_tokens_fn", lambda ids, trie=None: ids, (1, False)),
    ("prefix_allowed_tokens_fn", lambda batch_id, input_ids: [1], (2, True)),
    ("prefix_allowed_tokens_fn", wrapped(lambda ids: ids), (1, False)),
    ("stopping_criteria", lambda text, ids: True, (2, False)),
    ("stopping_criteria", lambda input_ids, scores: True, (2, True)),
    ("stopping_criteria", Theirs(), (2, True)),
]


@pytest.mark.parametrize(("setting", "function", "form"), FORMS)
def test_forms_are_told_apart(setting, function, form):
    found = read_function(setting, function)
    assert (found.num_arguments, found.is_transformers) == form


async def later(row):
    pass


def named(row, *, strength):
    pass


UNFIT = [
    ("logits_processor", lambda: None, "needs 0 arguments"),
    ("logits_processor", lambda a, b, c: None, "needs 3 arguments"),
    ("logits_processor", named, "needs 'strength' by name"),
    ("logits_processor", later, "is async"),
    ("prefix_allowed_tokens_fn", lambda a, b, c: None, "needs 3 arguments"),
    ("stopping_criteria", lambda text: True, "needs 1 argument"),
    ("stopping_criteria", lambda a, b, c: True, "needs 3 arguments"),
]


@pytest.mark.parametrize(("setting", "function", "what"), UNFIT)
def test_a_function_that_cannot_be_called_is_refused_before_any_work(setting, function, what):
    name = function.__name__
    with toy_llm() as llm, pytest.raises(ConfigError) as caught:
        llm.generate("a", **{setting: function})
    forms = " or ".join(SETTINGS[setting].forms)
    assert str(caught.value) == f"{setting} {name!r} {what}: must be a plain function {forms}"
    with pytest.raises(ConfigError, match="processors 'later' is async"):
        check_functions(GenerationConfig(processors=[later]))


def test_every_setting_of_functions_has_its_forms():
    kept = {
        name
        for name, row in SETTINGS.items()
        if isinstance(row.values, Values) and row.values.notation is Notation.NONE
    }
    assert {*FUNCTIONS} == kept | {"processors"}


@pytest.mark.parametrize("setting", FUNCTIONS)
def test_the_guides_example_runs(setting):
    with toy_llm() as llm:
        exec(SETTINGS[setting].code, {"llm": llm})


WRONG_ROWS = [
    ("x" * 100, f"'{'x' * 60}'…"),
    ("x", "'x'"),
    (3, "3"),
    ([1.0, 2.0], r"\[1.0, 2.0\]"),
    ([[1.0], [2.0, 3.0]], r"\[\[1.0\], \[2.0, 3.0\]\]"),
    (np.zeros((1, 5), np.float32), r"ndarray of the shape \(1, 5\) and type float32"),
    (np.zeros(5, bool), r"ndarray of the shape \(5,\) and type bool"),
    (np.zeros(5, complex), r"ndarray of the shape \(5,\) and type complex128"),
    (np.array(["a"] * 5), r"ndarray of the shape \(5,\) and type <U1"),
    (np.array([None] * 5), r"ndarray of the shape \(5,\) and type object"),
]


@pytest.mark.parametrize(("result", "shown"), WRONG_ROWS, ids=[shown for _, shown in WRONG_ROWS])
def test_what_a_processor_may_not_return(result, shown):
    def shape(row):
        return result

    message = r"^logits_processor 'shape' returned .*: must return None or an array .*\(5,\)$"
    with pytest.raises(ConfigError, match=message) as caught:
        UserProcessor(shape)(np.zeros(5, np.float32), Past())
    assert re.search(f"returned {shown}: ", str(caught.value))


@pytest.mark.parametrize("result", [None, "x", np.zeros(5), np.zeros((2, 5)), np.zeros((1, 4))])
def test_what_a_processor_of_transformers_may_not_return(result):
    def theirs(input_ids, scores):
        return result

    message = r"^logits_processor 'theirs' returned .*: must return an array .*\(1, 5\)$"
    with pytest.raises(ConfigError, match=message):
        UserProcessor(theirs)(np.zeros(5, np.float32), Past())


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        (np.arange(5), [0, 1, 2, 3, 4]),
        (np.arange(5, dtype=np.float16), [0, 1, 2, 3, 4]),
        (np.arange(5, dtype=np.float64), [0, 1, 2, 3, 4]),
    ],
)
def test_numbers_of_any_type_are_a_row(result, kept):
    row = np.zeros(5, np.float32)
    UserProcessor(lambda row: result)(row, Past())
    assert row.tolist() == kept


@pytest.mark.parametrize(
    ("value", "what"),
    [(np.nan, "NaN"), (np.inf, "maximum is inf"), (-np.inf, "maximum is -inf"), (1e300, "is inf")],
)
@pytest.mark.parametrize("form", ["in place", "returned", "theirs"])
def test_a_row_that_is_broken_is_its_functions_fault(value, what, form):
    def breaks(row):
        broken = np.full(5, value)
        if form == "returned":
            return broken
        with np.errstate(over="ignore"):
            row[:] = broken
        return None

    def breaks_theirs(input_ids, scores):
        return np.full((1, 5), value)

    function = breaks_theirs if form == "theirs" else breaks
    message = f"^logits_processor '{function.__name__}' leaves .*{what}.*: must leave a finite max"
    with pytest.raises(NumericalError, match=message):
        UserProcessor(function)(np.zeros(5, np.float32), Past())
    with toy_llm() as llm, pytest.raises(NumericalError, match="'<lambda>' leaves"):
        llm.generate("a", logits_processor=lambda row: row * np.nan, num_beams=2, max_new_tokens=2)


def test_a_row_that_a_later_stage_mends_may_be_broken():
    def breaks(row):
        row[3] = np.nan

    settings = {"remove_invalid_values": True, "max_new_tokens": 2}
    with toy_llm() as llm:
        plain = llm.generate("a", max_new_tokens=2)
        chain = [breaks, "remove_invalid_values"]
        assert llm.generate("a", processors=chain, **settings).token_ids == plain.token_ids


@pytest.mark.parametrize("result", ["True", b"", (x for x in ()), np.zeros(2), np.zeros(0)])
def test_what_a_criterion_may_not_return(result):
    def enough(text, ids):
        return result

    with pytest.raises(
        ConfigError, match=r"^stopping_criteria 'enough' returned .*: must return True or False$"
    ):
        StoppingCriteria([enough], [1])("a", [2])


@pytest.mark.parametrize(
    ("result", "says"),
    [(True, True), (None, False), (0, False), (np.True_, True), (np.array([False]), False)],
)
def test_what_a_criterion_may_return(result, says):
    assert StoppingCriteria([lambda text, ids: result], [1])("a", [2]) is says


def test_an_error_of_a_function_stays_its_own():
    def fails(*args):
        raise KeyError("mine")

    for setting in FUNCTIONS:
        value = [fails] if setting == "processors" else fails
        with toy_llm() as llm, pytest.raises(KeyError, match="mine"):
            llm.generate("a", **{setting: value}, max_new_tokens=2)


def test_without_torch_transformers_form_is_given_arrays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    seen: list[Any] = []

    def processor(input_ids, scores):
        seen.append((type(input_ids), input_ids.shape[0], scores.shape))
        return scores

    def allowed(batch_id, input_ids):
        seen.append((type(input_ids), input_ids.ndim))
        return range(5)

    def stop(input_ids, scores):
        seen.append((type(input_ids), input_ids.shape[0], scores))
        return np.array([True])

    with toy_llm() as llm:
        llm.generate(
            "a",
            logits_processor=processor,
            prefix_allowed_tokens_fn=allowed,
            stopping_criteria=stop,
        )
    array = np.ndarray
    assert seen == [(array, 1), (array, 1, (1, VOCAB_SIZE)), (array, 1, None)]


def test_a_prefix_function_is_told_which_prompt_it_is():
    def allowed(batch_id, input_ids):
        return [5 + batch_id]

    with toy_llm() as llm:
        outputs = llm.generate(
            ["a", "b", "c"], prefix_allowed_tokens_fn=allowed, max_new_tokens=2, num_beams=2
        )
        single = llm.generate("b", prefix_allowed_tokens_fn=allowed, max_new_tokens=1)
    assert [output.token_ids for output in outputs] == [[5, 5], [6, 6], [7, 7]]
    assert single.token_ids == [5]


def test_several_criteria_are_all_asked_and_any_ends_the_text():
    calls = []

    def never(text, ids):
        calls.append(len(ids))
        return False

    with toy_llm() as llm:
        out = llm.generate(
            "a", stopping_criteria=[lambda text, ids: len(ids) == 3, never], ignore_eos=True
        )
    assert (len(out.token_ids), out.stop_reason.kind) == (3, "criteria")
    assert calls == [1, 2, 3]
