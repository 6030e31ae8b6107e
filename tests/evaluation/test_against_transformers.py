"""Perplexity and divergence are those of transformers' own logits, on the same weights."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.hf_models import BOS, letters, tiny_llama

from foretell.evaluation import kl_divergence, perplexity
from foretell.llm import LLM

TEXT = "abcd efgh ijkl abc kl gh ca di " * 6
EXACT: dict[str, Any] = {"activations": "float32", "kv_dtype": "float32"}
DIGITS = 2e-5


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def saved(folder: Path, model: Any) -> Path:
    letters().save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def reference() -> Any:
    return tiny_llama()


@pytest.fixture(scope="module")
def shaken(reference: Any) -> Any:
    """The same with weights that are a little off, as quantized ones are."""
    model = tiny_llama()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.03 * torch.randn(weight.shape, generator=generator))
    return model


@pytest.fixture(scope="module")
def llm(tmp_path_factory: pytest.TempPathFactory, reference: Any) -> Any:
    folder = saved(tmp_path_factory.mktemp("reference"), reference)
    with LLM(str(folder), **EXACT) as found:
        yield found


@pytest.fixture(scope="module")
def shaken_llm(tmp_path_factory: pytest.TempPathFactory, shaken: Any) -> Any:
    with LLM(str(saved(tmp_path_factory.mktemp("shaken"), shaken)), **EXACT) as found:
        yield found


@torch.inference_mode()
def log_probabilities(model: Any, ids: list[int]) -> np.ndarray:
    """`(len(ids), vocab_size)` float64: of what follows each token."""
    return torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1).numpy()


@torch.inference_mode()
def documented_loop(model: Any, ids: list[int], window: int, stride: int) -> float:
    """The loop of transformers' page on perplexity."""
    total, count, before = 0.0, 0, 0
    for start in range(0, len(ids), stride):
        stop = min(start + window, len(ids))
        inputs = torch.tensor([ids[start:stop]])
        labels = inputs.clone()
        labels[:, : -(stop - before)] = -100
        number = int((labels != -100).sum()) - 1
        if number:
            total += float(model(inputs, labels=labels).loss) * number
        count, before = count + number, stop
        if stop == len(ids):
            break
    return math.exp(total / count)


@pytest.mark.parametrize(("window", "stride"), [(16, 5), (16, 16), (64, 20), (64, 64)])
def test_huggingface(llm: LLM, reference: Any, window: int, stride: int) -> None:
    found = perplexity(llm, TEXT, "huggingface", window=window, stride=stride)
    expected = documented_loop(reference, llm.tokenizer.encode(TEXT), window, stride)
    assert found.perplexity.value == pytest.approx(expected, rel=DIGITS)


@pytest.mark.parametrize("window", [8, 15, 64])
def test_llama_cpp(llm: LLM, reference: Any, window: int) -> None:
    ids = llm.tokenizer.encode(TEXT)
    nlls = []
    for start in range(0, len(ids) // window * window, window):
        logs = log_probabilities(reference, ids[start : start + window])
        for row in range(window // 2, window - 1):
            nlls.append(-logs[row, ids[start + row + 1]])
    found = perplexity(llm, TEXT, window=window)
    assert found.num_scored == len(nlls)
    assert found.perplexity.value == pytest.approx(math.exp(np.mean(nlls)), rel=DIGITS)
    error = np.std(nlls) / math.sqrt(len(nlls) - 1)
    assert found.mean_nll.error == pytest.approx(error, rel=1e-4)
    assert found.perplexity.error == pytest.approx(math.exp(np.mean(nlls)) * error, rel=1e-4)


def test_lm_eval(llm: LLM, reference: Any) -> None:
    ids = llm.tokenizer.encode(TEXT)
    window, total = 16, 0.0
    for start in range(0, len(ids), window):
        stop = min(start + window, len(ids))
        given = [BOS, *ids[: stop - 1]] if start == 0 else ids[stop - window - 1 : stop - 1]
        logs = log_probabilities(reference, given)[-(stop - start) :]
        total += sum(logs[row, token] for row, token in enumerate(ids[start:stop]))
    found = perplexity(llm, TEXT, "lm-eval", window=window)
    words, size = len(re.split(r"\s+", TEXT)), len(TEXT.encode())
    assert found.num_scored == len(ids)
    assert found.words is not None
    assert found.bytes is not None
    assert found.bits_per_byte is not None
    assert found.words.value == pytest.approx(math.exp(-total / words), rel=DIGITS)
    assert found.bytes.value == pytest.approx(math.exp(-total / size), rel=DIGITS)
    assert found.bits_per_byte.value == pytest.approx(-total / size / math.log(2), rel=DIGITS)


def test_divergence(llm: LLM, shaken_llm: LLM, reference: Any, shaken: Any) -> None:
    window = 64
    ids = llm.tokenizer.encode(TEXT)
    rows: list[tuple[np.ndarray, np.ndarray, int]] = []
    for start in range(0, len(ids) // window * window, window):
        some = ids[start : start + window]
        ours, theirs = log_probabilities(shaken, some), log_probabilities(reference, some)
        for row in range(window // 2, window - 1):
            rows.append((ours[row], theirs[row], some[row + 1]))
    klds = np.array([(np.exp(p) * (p - q)).sum() for q, p, _ in rows])
    deltas = np.array([np.exp(q[token]) - np.exp(p[token]) for q, p, token in rows])
    logs = np.array([(q[token], p[token]) for q, p, token in rows])
    found = kl_divergence(shaken_llm, llm, TEXT, window=window)
    assert found.num_tokens == len(rows)
    assert found.mean_kld.value == pytest.approx(klds.mean(), rel=1e-4)
    assert found.mean_kld.error == pytest.approx(klds.std() / math.sqrt(len(rows) - 1), rel=1e-3)
    assert found.max_kld == pytest.approx(klds.max(), rel=1e-3)
    assert found.kld_percentiles["50"] == pytest.approx(np.median(klds), rel=1e-3)
    assert found.kld_percentiles["99.9"] == pytest.approx(np.percentile(klds, 99.9), rel=1e-3)
    assert found.delta_p_percentiles["5"] == pytest.approx(np.percentile(deltas, 5), abs=1e-5)
    assert found.mean_delta_p.value == pytest.approx(deltas.mean(), abs=1e-5)
    assert found.rms_delta_p.value == pytest.approx(math.sqrt((deltas**2).mean()), rel=1e-3)
    same = [q.argmax() == p.argmax() for q, p, _ in rows]
    assert found.same_top.value == pytest.approx(np.mean(same))
    ratio = math.exp(logs[:, 1].mean() - logs[:, 0].mean())
    assert found.ratio.value == pytest.approx(ratio, rel=1e-4)
    spread = np.std(logs[:, 1] - logs[:, 0]) / math.sqrt(len(rows) - 1)
    assert found.ln_ratio.error == pytest.approx(spread, rel=1e-3)
    correlation = np.corrcoef(logs[:, 0], logs[:, 1])[0, 1]
    assert found.correlation == pytest.approx(correlation, rel=1e-4)
