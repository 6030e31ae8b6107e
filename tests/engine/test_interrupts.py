"""Ctrl-C anywhere in a request: it comes through as itself, and nothing is lost."""

import sys
from pathlib import Path

import pytest
from support.toy import VOCAB_SIZE, toy_tokenizer

import foretell
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.llm import LLM

ROOT = str(Path(foretell.__file__).parent)
NUM_BLOCKS = 24
# Python drops what is raised while it closes a generator expression that was left early.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
WISHES = {
    "sampled": {"max_new_tokens": 4, "num_return_sequences": 2, "temperature": 1.0, "seed": 3},
    "beams": {"max_new_tokens": 3, "num_beams": 2},
    "stopped": {
        "max_new_tokens": 6,
        "ignore_eos": True,
        "stopping_criteria": lambda _, ids: len(ids) > 1,
    },
}


class Interrupt:
    """Raises KeyboardInterrupt where CPython would handle a signal, in code of foretell's.

    That is where a function of Python begins and where one of C has returned; `at` is the number of
    such places before.
    """

    def __init__(self, at):
        self.left = at
        self.has_come = False

    def __enter__(self):
        sys.setprofile(self.note)

    def __exit__(self, *_):
        sys.setprofile(None)

    def note(self, frame, event, argument):
        is_ours = frame.f_code.co_filename.startswith(ROOT)
        if self.has_come or not is_ours or event not in ("call", "c_return"):
            return
        self.left -= 1
        if self.left < 0:
            self.has_come = True
            raise KeyboardInterrupt


def toy():
    backend = ScriptedBackend(improvise(VOCAB_SIZE), vocab_size=VOCAB_SIZE, num_blocks=NUM_BLOCKS)
    return LLM(backend, tokenizer=toy_tokenizer())


def texts(outputs):
    return [output.text for output in (outputs if isinstance(outputs, list) else [outputs])]


@pytest.mark.parametrize("kind", WISHES)
def test_an_interrupt_anywhere_loses_nothing(kind):
    llm, prompts, wishes = toy(), ["abab", "b"], WISHES[kind]
    expected = texts(llm.generate(prompts, **wishes))
    engine, at, has_come = llm._require_open().engine, 0, True
    while has_come:
        interrupt = Interrupt(at)
        try:
            with interrupt:
                llm.generate(prompts, **wishes)
        except KeyboardInterrupt:
            assert interrupt.has_come
        has_come = interrupt.has_come
        assert texts(llm.generate(prompts, **wishes)) == expected, at
        assert not engine.has_work, at
        assert engine.num_free_blocks == NUM_BLOCKS, at
        at += 1 if at < 60 else 7
    assert at > 500


def test_an_interrupted_stream_does_not_falsify_another():
    llm = toy()
    wishes = {"max_new_tokens": 5, "ignore_eos": True}
    expected = llm.generate("b", **wishes).token_ids
    at, has_come = 0, True
    while has_come:
        other, interrupt = llm.stream("b", **wishes), Interrupt(at)
        tokens = [*next(other).token_ids]
        try:
            with interrupt:
                llm.generate("abab", **wishes)
        except KeyboardInterrupt:
            pass
        has_come = interrupt.has_come
        error = None
        try:
            for chunk in other:
                tokens += chunk.token_ids
        except foretell.ForetellError as raised:
            error = raised
        if error is None:
            assert tokens == expected, at
        else:  # the step that was interrupted was its own, too
            assert "KeyboardInterrupt" in str(error)
            assert tokens == expected[: len(tokens)], at
        at += 3
    assert at > 500
