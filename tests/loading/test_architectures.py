"""What cannot run is named before anything else of its files is looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from support.folder_tokenizers import save
from support.llama_files import make_model, metadata_of, tensors_of, write
from support.tiny_models import FAMILIES, make_tiny
from transformers import AutoModelForCausalLM

from foretell import LLM
from foretell.errors import ModelFileError, UnsupportedModelError
from foretell.formats.gguf import GGUFFile
from foretell.loading import load as loading

SIZES = {"vocab_size": 500, "hidden_size": 32, "num_hidden_layers": 1}
MODELS: dict[str, tuple[str, dict[str, Any], str]] = {
    "t5": ("T5Config", {"vocab_size": 500, "d_model": 32, "num_layers": 1}, "does not continue"),
    "bert": ("BertConfig", SIZES, "does not continue a text: must be a causal language model"),
    "clip": ("CLIPConfig", {}, "does not continue"),
    "rwkv": ("RwkvConfig", SIZES, "remembers a state that all its tokens share"),
}


def _folder(folder: Path, name: str) -> Path:
    """A folder of this architecture, whose weights are nonsense, without a tokenizer."""
    kind, sizes, _ = MODELS[name]
    getattr(transformers, kind)(**sizes).save_pretrained(folder)
    make_model().save_pretrained(folder / "other")
    (folder / "other" / "model.safetensors").rename(folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("backend", ["auto", "transformers"])
def test_folders_without_a_tokenizer(name: str, backend: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=f"architecture '{name}' {MODELS[name][2]}"):
        LLM(_folder(tmp_path, name), backend=backend)


@pytest.mark.parametrize("name", MODELS)
def test_folders_where_native_alone_is_asked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(tmp_path, name)
    with pytest.raises(UnsupportedModelError, match=f"model_type '{name}' is not known natively"):
        LLM(folder, backend="native")
    monkeypatch.setattr(loading, "_has_transformers", lambda: False)
    with pytest.raises(UnsupportedModelError, match=f"model_type '{name}' is not known natively"):
        LLM(folder)


def test_an_embedding_of_another_size_is_said_before_a_tokenizer_is_made(tmp_path: Path) -> None:
    """One of 16 million tokens, of which a config can speak in a line."""
    make_model().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"vocab_size": 2**24 - 1}))
    rows = r"model.safetensors: tensor 'model.embed_tokens.weight' has \d+ rows, where config.json "
    with pytest.raises(ModelFileError, match=rows + "asks for 16777215: must be as many"):
        LLM(tmp_path)


def test_a_masked_model_made_to_decode_runs(tmp_path: Path) -> None:
    """Of such architectures transformers runs those that say that they decode."""
    config = transformers.BertConfig(
        **SIZES, num_attention_heads=2, intermediate_size=48, is_decoder=True
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    with LLM(save(tmp_path, "byte_level")) as llm:
        assert llm.info.name == "transformers"
        assert llm.generate("The cat", max_new_tokens=2, ignore_eos=True).token_ids


@pytest.mark.parametrize("architecture", ["clip", "t5", "bert", "rwkv6", "\x1b[31m"])
def test_files_without_a_tokenizer(architecture: str, tmp_path: Path) -> None:
    metadata = {"general.type": "mmproj"} if architecture == "clip" else {}
    path = write(tmp_path / "m.gguf", {"a": np.ones(4)}, metadata, architecture=architecture)
    with pytest.raises(UnsupportedModelError) as caught:
        LLM(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: architecture {architecture!r} is not supported; supported")
    assert message.isprintable()


def test_bloom_without_a_length(tmp_path: Path) -> None:
    kind, sizes = FAMILIES["bloom, no positions but alibi"]
    make_tiny(kind, {**sizes, "vocab_size": 500}).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config.pop("seq_length", None)
    path.write_text(json.dumps(config))
    save(tmp_path, "byte_level")
    with LLM(tmp_path) as llm:
        assert llm.info.context_length == 2048
    with LLM(tmp_path, context_length=4096) as llm:
        assert llm.info.context_length == 4096


def _vocabulary(num_tokens: int) -> dict[str, Any]:
    letters = [chr(33 + i) for i in range(90)]
    tokens = [*letters, *(a + b for a in letters[:2] for b in letters)][:num_tokens]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": ["! !"],
    }


@pytest.mark.parametrize("num_tokens", [159, 161])
def test_a_file_must_have_a_row_for_each_token(num_tokens: int, tmp_path: Path) -> None:
    model = make_model()
    metadata = metadata_of(model.config) | _vocabulary(num_tokens)
    path = write(tmp_path / "m.gguf", tensors_of(model), metadata)
    right = f"lists {num_tokens} tokens, token_embd.weight has 160 rows: must be the same number"
    with pytest.raises(ModelFileError, match=f"tokenizer.ggml.tokens {right}"):
        LLM(path)
    even = write(tmp_path / "even.gguf", tensors_of(model), metadata | _vocabulary(160))
    with LLM(even) as llm, GGUFFile.open(even) as file:
        assert llm.tokenizer.vocab_size == llm.info.vocab_size
        assert file.tensors["token_embd.weight"].shape[0] == 160
