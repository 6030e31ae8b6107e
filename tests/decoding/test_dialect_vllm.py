"""The vllm dialect against values that vLLM's own functions computed."""

import json
from pathlib import Path

import numpy as np
import pytest

from foretell.config import GenerationConfig
from foretell.decoding.chain import build_chain
from foretell.decoding.context import ChainContext
from foretell.engine.sequence import Sequence

GOLDEN = json.loads((Path(__file__).parent / "golden" / "vllm.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_it_keeps_and_weighs_what_vllm_does(case):
    config = GenerationConfig(dialect="vllm", seed=0, **case["settings"])
    row = np.array(case["row"], np.float32)
    history = Sequence(0, case["prompt"])
    history.tokens += case["output"]
    for stage in build_chain(config, ChainContext(len(row))):
        stage.processor(row, history)
    expected = [-np.inf if value is None else value for value in case["left"]]
    np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-6)
