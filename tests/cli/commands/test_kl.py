import json

import pytest
from support.toy import VOCAB_SIZE, toy_llm

from foretell.backends.scripted import improvise
from foretell.evaluation import kl_divergence

TEXT = "the cat sat on the mat. " * 8


def model():
    return toy_llm(improvise(VOCAB_SIZE, seed=1), context_length=256)


def reference():
    return toy_llm(context_length=256)


@pytest.fixture(autouse=True)
def asked(shell):
    """The reference is opened first."""
    turns = iter([reference, model] * 4)

    def make():
        return next(turns)()

    return shell.model(make)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "text"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture(scope="module")
def found():
    with model() as one, reference() as other:
        return kl_divergence(one, other, TEXT, window=32)


def test_json(shell, file, found):
    result = shell.run("kl", "a.gguf", "b.gguf", file, "--window", "32", "--json")
    assert json.loads(result.out) == found.to_dict()


def test_the_figures_are_llama_perplexitys(shell, file, found):
    out = shell.run("kl", "a.gguf", "b.gguf", file, "--window", "32").out
    lines = {line.split("  ")[0]: line for line in out.splitlines() if line}
    for name in ("PPL(Q), of the model", "PPL(P), of the reference", "correlation of ln p"):
        assert name in lines
    figure = found.mean_kld
    assert lines["mean KLD"].endswith(f"  {figure.value:.6f} ± {figure.error:.7f}")
    assert lines["RMS Δp"].endswith("%")
    for name in ("99.9 %", "99 %", "95 %", "90 %", "median", "10 %", "5 %", "1 %", "0.1 %"):
        assert out.count(f"\n{name} ") == 2
    assert lines["same likeliest token"].split()[3] == f"{100 * found.same_top.value:.3f}"


def test_options_open_the_model_and_the_reference_is_exact(shell, file, asked):
    words = ["--window", "32", "--kv-dtype", "q8", "--threads", "1"]
    shell.run("kl", "a.gguf", "b.gguf", file, *words)
    exact = {"activations": "float32", "kv_dtype": "float32"}
    assert asked == [
        ("b.gguf", {"context_length": 32, "threads": 1, **exact}),
        ("a.gguf", {"context_length": 32, "threads": 1, "kv_dtype": "q8"}),
    ]


def test_a_short_text_is_refused(shell, file):
    result = shell.run("kl", "a.gguf", "b.gguf", file, "--window", "200")
    assert (result.code, result.out) == (2, "")
    assert "needs at least 400" in result.err
