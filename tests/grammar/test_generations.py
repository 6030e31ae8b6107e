"""The default model at temperature 2, held to bounded schemas: all texts parse and validate.

FORETELL_TEXTS=2000 makes so many; `python -m benchmarks.stress.structured` does too, with figures.
"""

from __future__ import annotations

import os

import pytest

from benchmarks.stress.structured import SCHEMAS, run
from foretell import LLM

NUM_TEXTS = int(os.environ.get("FORETELL_TEXTS", "40"))


@pytest.fixture(scope="module")
def llm(default_model_path):
    with LLM(default_model_path, context_length=1024) as found:
        yield found


@pytest.mark.parametrize("name", SCHEMAS)
def test_texts_parse_and_validate(llm, name):
    count = max(1, NUM_TEXTS // len(SCHEMAS))
    num_ended, _, wrong = run(llm, name, count)
    assert (num_ended, wrong) == (count, [])
