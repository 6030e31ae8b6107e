"""Lines run on an engine until each of their texts has ended, and no longer."""

from __future__ import annotations

from foretell import GenerationConfig
from foretell.backends.scripted import ScriptedBackend, improvise
from foretell.engine.client import EngineClient
from foretell.engine.engine import Engine
from foretell.engine.request import Request
from foretell.hf_generate.running import Line, Text, run

VOCAB = 20


def test_a_text_that_a_function_ends_is_computed_no_further() -> None:
    engine = Engine(ScriptedBackend(improvise(VOCAB), vocab_size=VOCAB))
    config = GenerationConfig(max_new_tokens=9, temperature=1.0, seed=1, num_return_sequences=2)
    ends = [[lambda tokens: len(tokens) == 3], [lambda tokens: False]]
    line = Line(Request([1, 2], config), ends, [Text(), Text()])
    assert [*run(EngineClient(engine), [line])]
    assert [len(text.tokens) for text in line.texts] == [3, 9]
    assert engine.stats().generated_tokens == 3 + 9
    assert engine.num_free_blocks == 128
