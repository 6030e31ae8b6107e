"""`foretell perplexity` and `foretell kl` beside llama.cpp's and transformers' own logits.

    .venv/bin/python -m benchmarks.oracles.perplexities TEXT --float model-f32.gguf \
        --quantized model-q4_0.gguf --folder checkpoint/ --peer-python bench-env/bin/python

All have the same weights, as a GGUF file in float32 and as a checkpoint's folder. llama.cpp's
figures are computed from the logits that llama-cpp-python gives, in float64, as the program
llama-perplexity defines them; transformers' by the loop of its documentation. Each system is a
process of its own; a line of JSON a figure tells both.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

WINDOW, STRIDE = 512, 256
PERCENTILES = (99.9, 99, 95, 90, 50, 10, 5, 1, 0.1)


def main() -> None:
    """Compare all that is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--float", type=Path, required=True, metavar="GGUF")
    parser.add_argument("--quantized", type=Path, metavar="GGUF")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--as-peer", choices=("llama.cpp", "transformers"))
    wishes = parser.parse_args()
    if wishes.as_peer == "llama.cpp":
        print(json.dumps(llama_cpp(wishes)))
    elif wishes.as_peer == "transformers":
        print(json.dumps({"huggingface": transformers_perplexity(wishes)}))
    else:
        compare(wishes)


def compare(wishes: argparse.Namespace) -> None:
    """Ask all systems, and print the figures side by side."""
    most = ["--max-windows", str(wishes.windows)]
    text, weights = str(wishes.text), str(wishes.float)
    ours = {"llama.cpp": foretell("perplexity", text, "-m", weights, "--exact", *most)}
    theirs = peer(wishes, "llama.cpp", wishes.peer_python)
    tell("perplexity, llama.cpp", ours["llama.cpp"]["perplexity"], theirs["perplexity"])
    if wishes.quantized is not None:
        found = foretell("kl", str(wishes.quantized), weights, text, *most)
        for name, expected in theirs["kl"].items():
            tell(f"kl, {name}", found[name], expected)
    if wishes.folder is not None:
        sizes = ["--convention", "huggingface", "--window", str(WINDOW), "--stride", str(STRIDE)]
        own = foretell("perplexity", text, "-m", str(wishes.folder), "--exact", *sizes, *most)
        expected = peer(wishes, "transformers", sys.executable)["huggingface"]
        tell("perplexity, huggingface", own["perplexity"], {"value": expected})


def tell(name: str, ours: Any, theirs: Any) -> None:
    """One figure of both."""
    print(json.dumps({"figure": name, "foretell": ours, "other": theirs}), flush=True)


def foretell(*words: str) -> Any:
    """What a command of foretell's says."""
    command = [sys.executable, "-m", "foretell", *words, "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def peer(wishes: argparse.Namespace, name: str, python: str) -> Any:
    """What another system says, in a process of its own."""
    words = [str(wishes.text), "--float", str(wishes.float), "--windows", str(wishes.windows)]
    for option in ("quantized", "folder"):
        value = getattr(wishes, option)
        words += [f"--{option}", str(value)] if value is not None else []
    command = [python, "-m", "benchmarks.oracles.perplexities", *words, "--as-peer", name]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


# llama.cpp


def llama_cpp(wishes: argparse.Namespace) -> dict[str, Any]:
    """The perplexity of the float model, and the other's divergence from it."""
    reference = Llama(wishes.float)
    model = None if wishes.quantized is None else Llama(wishes.quantized)
    text = read(wishes.text)
    tokens = reference.tokens(text)
    nlls: list[float] = []
    pairs: list[dict[str, float]] = []
    for start in range(0, min(len(tokens) // WINDOW, wishes.windows) * WINDOW, WINDOW):
        window = tokens[start : start + WINDOW]
        logits = log_softmax(reference.logits(window))
        rows = range(WINDOW // 2, WINDOW - 1)
        nlls += [-float(logits[row, window[row + 1]]) for row in rows]
        if model is not None:
            others = log_softmax(model.logits(window))
            pairs += [*compared(others, logits, window, rows)]
    found: dict[str, Any] = {"perplexity": exp_mean(nlls)}
    if pairs:
        found["kl"] = divergence(pairs)
    return found


class Llama:
    """A GGUF file in llama.cpp, with keys and values in float32."""

    def __init__(self, path: Path) -> None:
        import llama_cpp as library

        self._llama = library.Llama(
            str(path),
            n_ctx=WINDOW,
            n_batch=WINDOW,
            logits_all=True,
            verbose=False,
            type_k=library.GGML_TYPE_F32,
            type_v=library.GGML_TYPE_F32,
        )

    def tokens(self, text: str) -> list[int]:
        """Ids of a text, with what the model puts before one."""
        return list(self._llama.tokenize(text.encode(), add_bos=True, special=False))

    def logits(self, window: list[int]) -> np.ndarray:
        """`(tokens, vocab_size)` float32."""
        self._llama.reset()
        self._llama.eval(window)
        return np.array(self._llama.scores[: len(window)])


def compared(
    model: np.ndarray, reference: np.ndarray, window: list[int], rows: range
) -> Iterator[dict[str, float]]:
    """What each scored token of a window says of two models."""
    for row in rows:
        ours, theirs, token = model[row], reference[row], window[row + 1]
        yield {
            "ours": float(ours[token]),
            "theirs": float(theirs[token]),
            "kld": float((np.exp(theirs) * (theirs - ours)).sum()),
            "delta": math.exp(ours[token]) - math.exp(theirs[token]),
            "same": float(ours.argmax() == theirs.argmax()),
        }


def divergence(pairs: list[dict[str, float]]) -> dict[str, Any]:
    """The figures of llama-perplexity, by foretell's names."""
    columns = {name: np.array([pair[name] for pair in pairs]) for name in pairs[0]}
    logs = columns["theirs"] - columns["ours"]
    klds, deltas = columns["kld"], columns["delta"]
    ours, theirs = exp_mean(-columns["ours"]), exp_mean(-columns["theirs"])
    return {
        "model_ppl": ours,
        "reference_ppl": theirs,
        "correlation": float(np.corrcoef(columns["ours"], columns["theirs"])[0, 1]),
        "ln_ratio": mean(logs),
        "ratio": exp_mean(logs),
        "difference": {"value": ours["value"] - theirs["value"]},
        "mean_kld": mean(klds),
        "max_kld": float(klds.max()),
        "kld_percentiles": {f"{q:g}": float(np.percentile(klds, q)) for q in PERCENTILES},
        "mean_delta_p": mean(deltas),
        "delta_p_percentiles": {f"{q:g}": float(np.percentile(deltas, q)) for q in PERCENTILES},
        "rms_delta_p": {"value": float(np.sqrt((deltas**2).mean()))},
        "same_top": mean(columns["same"]),
    }


# transformers


def transformers_perplexity(wishes: argparse.Namespace) -> float:
    """The loop of transformers' page on perplexity, over the first windows."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(wishes.folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(wishes.folder)
    ids = tokenizer(read(wishes.text), return_tensors="pt").input_ids
    total, count, before = 0.0, 0, 0
    for start in range(0, wishes.windows * STRIDE, STRIDE):
        stop = min(start + WINDOW, ids.size(1))
        labels = ids[:, start:stop].clone()
        labels[:, : -(stop - before)] = -100
        with torch.no_grad():
            loss = model(ids[:, start:stop], labels=labels).loss
        number = int((labels != -100).sum()) - 1
        total, count, before = total + float(loss) * number, count + number, stop
        if stop == ids.size(1):
            break
    return math.exp(total / count)


def read(path: Path) -> str:
    """A text, less a newline at its end."""
    return path.read_text(encoding="utf-8").removesuffix("\n")


def log_softmax(rows: np.ndarray) -> np.ndarray:
    """In float64."""
    shifted = rows.astype(np.float64) - rows.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def mean(values: Any) -> dict[str, float]:
    """The mean and its standard error."""
    found = np.asarray(values, dtype=np.float64)
    return {"value": float(found.mean()), "error": float(found.std() / math.sqrt(len(found) - 1))}


def exp_mean(values: Any) -> dict[str, float]:
    """exp of the mean, with its error to first order."""
    found = mean(values)
    value = math.exp(found["value"])
    return {"value": value, "error": value * found["error"]}


if __name__ == "__main__":
    main()
