"""What llama.cpp's own sampler chain leaves of one distribution: values for the dialect's tests.

usage: python -m benchmarks.oracles.dialects MODEL.gguf OUT.json   (where xllamacpp is installed)

The server answers with the candidates after its whole chain. Each case begins with top-k 200, so
that the 200 likeliest logits are all that a test needs to know of the model's row.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.peers.llama_cpp import LlamaCpp

PROMPT = "The cat sat on the mat. The dog saw a bird. One day the cat and the dog saw a"
TOP = 200
RAW = 300  # penalties come before top-k, so a few more may come in
OFF = {
    "temperature": 1.0,
    "top_k": TOP,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_penalty": 1.0,
    "seed": 1,
    "cache_prompt": False,
}
DEFAULT_ORDER = ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc"]
CASES: dict[str, dict[str, Any]] = {
    "top_k": {"top_k": 7},
    "top_p": {"top_p": 0.7},
    "top_p_temperature": {"top_p": 0.7, "temperature": 0.5},
    "top_p_hot": {"top_p": 0.7, "temperature": 2.0},
    "min_p": {"min_p": 0.1, "temperature": 1.5},
    "typical": {"typical_p": 0.6},
    "all": {"top_k": 40, "top_p": 0.95, "min_p": 0.05, "temperature": 0.8},
    "frequency": {"frequency_penalty": 0.7, "repeat_last_n": 64},
    "presence": {"presence_penalty": 1.5, "repeat_last_n": 64},
    "window": {"frequency_penalty": 0.7, "presence_penalty": 0.5, "repeat_last_n": 5},
    "repeat_calibration": {"repeat_penalty": 1.25, "repeat_last_n": 64},
    "repeat": {"repeat_penalty": 1.3, "repeat_last_n": 64},
    "repeat_window": {"repeat_penalty": 1.3, "repeat_last_n": 4, "top_p": 0.8},
    "dry": {"dry_multiplier": 0.8, "dry_base": 1.75, "dry_allowed_length": 2},
    "dry_breaker": {
        "dry_multiplier": 0.8,
        "dry_allowed_length": 1,
        "dry_sequence_breakers": [" saw"],
    },
    "xtc": {"xtc_probability": 1.0, "xtc_threshold": 0.03},
    "dynatemp": {"temperature": 1.0, "dynatemp_range": 0.5, "dynatemp_exponent": 1.5},
    "top_n_sigma": {"top_n_sigma": 1.0, "samplers": ["top_k", "top_n_sigma", "temperature"]},
    "mirostat_2": {"mirostat": 2, "mirostat_tau": 3.0, "mirostat_eta": 0.1},
    "order": {
        "samplers": ["temperature", "top_k", "top_p"],
        "temperature": 1.8,
        "top_k": TOP,
        "top_p": 0.6,
    },
}


def candidates(server: LlamaCpp, ids: list[int], case: dict[str, Any], after: bool) -> list[Any]:
    """(id, probability) of what is left after the chain; or (id, log-probability) before it."""
    body = {
        **OFF,
        "samplers": [*DEFAULT_ORDER, "temperature"],
        **case,
        "prompt": ids,
        "n_predict": 1,
        "n_probs": TOP if after else RAW,
        "post_sampling_probs": after,
    }
    entry = json.loads(server.post("/completion", body))["completion_probabilities"][0]
    key, value = ("top_probs", "prob") if after else ("top_logprobs", "logprob")
    return [[one["id"], one[value]] for one in entry[key]]


def main() -> None:
    """Ask for every case and write the file."""
    model, out = sys.argv[1:]
    server = LlamaCpp(model, 2)
    ids = server.tokenize(PROMPT)["ids"]
    values = {
        "xllamacpp": version("xllamacpp"),
        "prompt": ids,
        "raw": candidates(server, ids, {}, after=False),
        "cases": {
            name: {"settings": case, "left": candidates(server, ids, case, after=True)}
            for name, case in CASES.items()
        },
    }
    Path(out).write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
