"""What comes after a prefix from a file has the bits of one that was computed: the promise."""

from __future__ import annotations

import numpy as np
import pytest
from support.adapters import Adapter
from support.kept import open_kind, some_tokens, write_kind
from support.kernel_bench import ISAS, bits
from support.llama_files import make_model
from support.logits_after import logits_after
from support.toy import VOCAB_SIZE, engine_of

from foretell.errors import PrefixFileError
from foretell.llm import LLM

NUM_KEPT = 200
KINDS = [
    ("llama", {}),
    ("llama", {"kv_dtype": "bfloat16"}),
    ("llama", {"kv_dtype": "float32", "activations": "float32"}),
    ("llama", {"kv_dtype": "q8"}),
    ("windows", {}),
    ("windows", {"kv_dtype": "q8"}),
    ("all windows", {}),
    ("hybrid", {}),
    ("states", {}),
]
SAMPLED = {"max_new_tokens": 12, "temperature": 0.9, "seed": 3, "logprobs": 2, "ignore_eos": True}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {kind: write_kind(folder, kind) for kind in {kind for kind, _ in KINDS}}


def prompts(prefix):
    """The prefix itself, with one token and many behind it; one that leaves it early."""
    yield prefix
    yield [*prefix, 7]
    yield prefix + some_tokens(70, seed=5)
    yield prefix[:75] + some_tokens(40, seed=6)


def answers(llm: LLM, prefix):
    """Each prompt's last row of logits, and what is drawn after it."""
    for prompt in prompts(prefix):
        output = llm.generate(prompt, **SAMPLED)
        yield logits_after(llm, prompt).copy(), output.logprobs


def assert_equal(found, expected):
    for (row, told), (expected_row, expected_told) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(bits(row), bits(expected_row))
        assert told == expected_told


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=str)
def test_logits_and_texts_are_those_of_a_computed_prefix(
    paths, kind, options, tmp_path, monkeypatch
):
    prefix = some_tokens(NUM_KEPT)
    with open_kind(paths[kind], prefix_caching=False, threads=1, **options) as llm:
        expected = [*answers(llm, prefix)]
    with open_kind(paths[kind], threads=1, **options) as llm:
        size = llm.info.block_size
        kept = llm.save_prefix(tmp_path / "a.prefix", prefix)
        assert kept.token_ids == prefix[: NUM_KEPT // size * size]
        assert kept.num_bytes == (tmp_path / "a.prefix").stat().st_size
    for threads, isa in enumerate(reversed(ISAS), 1):
        monkeypatch.setenv("FORETELL_ISA", isa)
        with open_kind(paths[kind], threads=threads, **options) as llm:
            loaded = llm.load_prefix(tmp_path / "a.prefix")
            assert loaded.num_cached == kept.num_tokens
            assert loaded.token_ids == kept.token_ids
            assert_equal(answers(llm, prefix), expected)
            found = engine_of(llm).stats().cached_tokens
            assert found >= 2 * (3 * (NUM_KEPT // size * size - size) + 75 // size * size)
            assert engine_of(llm).num_free_blocks == llm.info.num_blocks


@pytest.mark.parametrize("kind", ["llama", "hybrid"])
def test_the_same_bytes_are_written_whatever_ran_beside_it(paths, kind, tmp_path, monkeypatch):
    prefix = some_tokens(NUM_KEPT)
    for number, isa in enumerate(ISAS):
        monkeypatch.setenv("FORETELL_ISA", isa)
        with open_kind(paths[kind], threads=1 + number % 2, max_batch_tokens=37 + number) as llm:
            llm.generate(
                [prefix[:100], prefix[:60] + some_tokens(30, 1)], max_new_tokens=1 + number
            )
            llm.save_prefix(tmp_path / f"{number}.prefix", prefix)
    written = {path.read_bytes() for path in tmp_path.glob("*.prefix")}
    assert len(written) == 1


def test_with_an_adapter(paths, tmp_path):
    model = make_model(vocab_size=VOCAB_SIZE)
    adapter = Adapter(size=0.3).save(tmp_path / "adapter", model)
    prefix = some_tokens(100)
    with open_kind(paths["llama"], adapters=adapter) as llm:
        llm.save_prefix(tmp_path / "a.prefix", prefix)
        expected = logits_after(llm, [*prefix, 7]).copy()
    with open_kind(paths["llama"], adapters=adapter, prefixes=tmp_path / "a.prefix") as llm:
        np.testing.assert_array_equal(bits(logits_after(llm, [*prefix, 7])), bits(expected))
        assert engine_of(llm).stats().cached_tokens == 96


@pytest.mark.parametrize("speculation", [None, "lookup"])
def test_with_guesses_and_without(paths, speculation, tmp_path):
    prefix = some_tokens(20) * 8
    with open_kind(paths["llama"], speculation=None) as llm:
        expected = llm.generate(prefix, **SAMPLED).token_ids
        llm.save_prefix(tmp_path / "a.prefix", prefix)
    with open_kind(
        paths["llama"], speculation=speculation, prefixes=[tmp_path / "a.prefix"]
    ) as llm:
        output = llm.generate(prefix, **SAMPLED)
        assert (output.token_ids, output.usage.cached_tokens) == (expected, 144)


def test_the_context_matters_where_rotations_depend_on_it(paths, tmp_path):
    """LongRoPE turns keys otherwise in a long context; other models' files are for any context."""
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "short_factor": [1.0 + pair for pair in range(16)],
        "long_factor": [1.0 + 2 * pair for pair in range(16)],
    }
    sizes = {"hidden_size": 128, "original_max_position_embeddings": 64, "rope_parameters": rope}
    path = write_kind(tmp_path, "longrope", **sizes)
    prefix = some_tokens(60)
    with open_kind(path, context_length=64) as llm:
        llm.save_prefix(tmp_path / "a.prefix", prefix)
    with open_kind(path, context_length=50 + 14, prefixes=tmp_path / "a.prefix") as llm:
        assert llm.generate(prefix, max_new_tokens=1).usage.cached_tokens == 48
    with pytest.raises(PrefixFileError, match="has_long_context False, here it is True"):
        open_kind(path, prefixes=tmp_path / "a.prefix")
    with open_kind(paths["llama"]) as llm:
        llm.save_prefix(tmp_path / "b.prefix", prefix)
    with open_kind(paths["llama"], context_length=64, prefixes=tmp_path / "b.prefix") as llm:
        assert llm.generate(prefix, max_new_tokens=1).usage.cached_tokens == 48
