"""How far foretell and llama.cpp are from the model itself, on the same GGUF file and real text.

    python -m benchmarks.accuracy.accuracy MODEL.gguf --threads 2

The reference is transformers in float32 with the file's own weights (reference.py). Every context
starts with the BOS token where the file asks for one: without it, Gemma computes differences of
numbers so large that transformers itself, in float32, is 1e-3 off. At each
position: KL(reference || engine) over the whole vocabulary in float64, every row normalized, and
whether the most probable token is the same. With float32 activations
(and keys and values) also the largest difference of logits, and 64 greedy tokens.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.harness import Peer, options, write_result
from benchmarks.common.texts import SHORT_PROMPT, Text, prose, python_source

LOGIT_POSITIONS = 200
GREEDY_TOKENS = 64


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Normalized log-probabilities of each row, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def compare(reference: np.ndarray, engine: np.ndarray) -> dict[str, np.ndarray]:
    """KL and agreement of each row; both are logits or log-probabilities `(rows, vocab_size)`."""
    kl, agrees = [], []
    for expected, given in zip(reference, engine, strict=True):
        log_p, log_q = log_softmax(expected), log_softmax(np.maximum(given, -1e4))
        kl.append(np.sum(np.exp(log_p) * (log_p - log_q)))
        agrees.append(expected.argmax() == given.argmax())
    return {"kl": np.array(kl), "agrees": np.array(agrees)}


def summarize(rows: dict[str, np.ndarray]) -> dict[str, Any]:
    """Mean KL with its standard error, the tail, and top-1 agreement."""
    kl, count = rows["kl"], len(rows["kl"])
    return {
        "positions": count,
        "mean_kl_nats": kl.mean(),
        "standard_error": kl.std() / np.sqrt(count),
        "median_kl_nats": np.median(kl),
        "p99_kl_nats": np.quantile(kl, 0.99),
        "top1_agreement": rows["agrees"].mean(),
    }


class Engines:
    """The engines under test, each in its own process, asked one after the other."""

    def __init__(self, arguments: argparse.Namespace, folder: str) -> None:
        from benchmarks.oracles.reference import first_ids

        common = (arguments.model, arguments.threads)
        python = arguments.foretell_python
        self.first = first_ids(arguments.model)
        self.folder = Path(folder)
        self.peers = {"llama.cpp": Peer("llama_cpp", *common)}
        if not arguments.only_llama_cpp:
            for kind in ("int8", "float32"):
                peer = Peer("foretell_native", *common, kind, python=python)
                self.peers[f"foretell {kind}"] = peer

    def logits(self, name: str, ids: list[int]) -> np.ndarray:
        """One engine's logits (llama.cpp: log-probabilities) after each token."""
        path = self.folder / "rows.npy"
        op = "logprobs" if name == "llama.cpp" else "logits"
        self.peers[name].ask(op, ids=ids, path=str(path))
        return np.load(path)

    def tokenize(self, text: str) -> list[int]:
        """Ids of a text, by llama.cpp, without special tokens."""
        return self.peers["llama.cpp"].ask("tokenize", text=text)["ids"]


def windows(ids: list[int], positions: int, length: int) -> list[list[int]]:
    """Cut the first `positions` ids into runs of at most `length`; each starts a new context."""
    if len(ids) < positions:
        raise SystemExit(f"the text has {len(ids)} tokens, {positions} are asked for")
    return [ids[start : min(start + length, positions)] for start in range(0, positions, length)]


def measure_text(
    engines: Engines, model: Any, text: Text, positions: int, length: int
) -> dict[str, Any]:
    """Compare every engine with the reference on one text."""
    from benchmarks.oracles.reference import logits

    rows: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in engines.peers}
    for window in windows(engines.tokenize(text.text), positions, length):
        ids = engines.first + window
        expected = logits(model, ids)
        for name, runs in rows.items():
            runs.append(compare(expected, engines.logits(name, ids)))
    summaries = {}
    for name, runs in rows.items():
        joined = {key: np.concatenate([run[key] for run in runs]) for key in runs[0]}
        summaries[name] = summarize(joined)
        show(text.name, name, summaries[name])
    return {"text": text.name, "sha256": text.sha256, "engines": summaries}


def measure_float32(engines: Engines, model: Any) -> dict[str, Any]:
    """foretell with float32 activations: largest difference of logits, and greedy tokens."""
    from benchmarks.oracles.reference import greedy, logits

    ids = (engines.first + engines.tokenize(python_source().text))[:LOGIT_POSITIONS]
    difference = np.abs(engines.logits("foretell float32", ids) - logits(model, ids)).max()
    prompt = engines.first + engines.tokenize(SHORT_PROMPT)
    expected = greedy(model, prompt, GREEDY_TOKENS)
    given = engines.peers["foretell float32"].ask(
        "generate", ids=prompt, max_new_tokens=GREEDY_TOKENS
    )["ids"]
    same = next((i for i in range(GREEDY_TOKENS) if expected[i] != given[i]), GREEDY_TOKENS)
    print(f"float32: largest logit difference {difference:.2e}, {same} greedy tokens identical")
    return {
        "positions": len(ids),
        "max_logit_difference": float(difference),
        "greedy_tokens": GREEDY_TOKENS,
        "greedy_tokens_identical": same,
    }


def show(text: str, name: str, summary: dict[str, Any]) -> None:
    """One line for people."""
    print(
        f"{text}: {name:<18} KL {summary['mean_kl_nats']:.5f} ± {summary['standard_error']:.5f} "
        f"nats, top-1 {summary['top1_agreement']:.1%} of {summary['positions']}",
        flush=True,
    )


def main() -> None:
    """Measure, show and write."""
    parser = options("foretell and llama.cpp beside the model in float32: accuracy")
    parser.add_argument("--python-positions", type=int, default=1000)
    parser.add_argument("--prose-positions", type=int, default=500)
    parser.add_argument("--window", type=int, default=500, help="tokens of one context")
    parser.add_argument("--only-llama-cpp", action="store_true")
    arguments = parser.parse_args()

    from benchmarks.oracles.reference import load_reference

    model = load_reference(arguments.model)
    texts = ((python_source(), arguments.python_positions), (prose(), arguments.prose_positions))
    with tempfile.TemporaryDirectory() as folder:
        engines = Engines(arguments, folder)
        result: dict[str, Any] = {
            "engines": {name: peer.ask("info") for name, peer in engines.peers.items()},
        }
        if not arguments.only_llama_cpp:
            result["float32"] = measure_float32(engines, model)
        result["texts"] = [
            measure_text(engines, model, text, positions, arguments.window)
            for text, positions in texts
        ]
    write_result("accuracy", arguments, result)


if __name__ == "__main__":
    main()
