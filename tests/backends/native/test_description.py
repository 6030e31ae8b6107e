"""`info.description`: a model as people call it, and how it is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.llama_files import make_model, metadata_of, tensors_of, write

from foretell.backends.native.backend import NativeBackend
from foretell.formats.gguf import GGUFFile

MODEL = make_model()


def describe(path: Path, kind: str = "Q8_0", name: str | None = "Garbled 8k Ep2", **settings: Any):
    metadata = metadata_of(MODEL.config) | ({} if name is None else {"general.name": name})
    write(path, tensors_of(MODEL), metadata, kind)
    with GGUFFile.open(path) as file:
        return NativeBackend.load(file, **settings).info.description.split(", ")


@pytest.mark.parametrize(
    ("filename", "title"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct in Q4_1"),
        ("gemma-3-270m-q4_k_m.gguf", "gemma-3-270m in q4_k_m"),
        ("Qwen2.5-0.5B-BF16.gguf", "Qwen2.5-0.5B in BF16"),
        ("Llama-3.2-1B.IQ4_XS.GGUF", "Llama-3.2-1B in IQ4_XS"),
        ("stories15M.gguf", "stories15M"),
        ("model.gguf", "Garbled 8k Ep2"),
        ("ggml-model-q4_0.gguf", "Garbled 8k Ep2 in q4_0"),
        ("sha256-0123", "Garbled 8k Ep2"),
    ],
)
def test_a_file_is_called_as_its_publisher_writes_it(
    tmp_path: Path, filename: str, title: str
) -> None:
    assert describe(tmp_path / filename)[0] == title


def test_a_file_without_any_name_is_called_as_it_lies(tmp_path: Path) -> None:
    assert describe(tmp_path / "model.gguf", name=None)[0] == "model.gguf"
    assert describe(tmp_path / "model.gguf", name="\x1b[31mred\n")[0] == r"\x1b[31mred\n"


def test_the_default_model_is_called_by_its_name(default_model_path: Path) -> None:
    with GGUFFile.open(default_model_path) as file:
        description = NativeBackend.load(file, num_blocks=1).info.description
    assert description.startswith("SmolLM2-135M-Instruct in Q4_1, int8 activations, ")


@pytest.mark.parametrize(
    ("kind", "settings", "arithmetic"),
    [
        ("Q8_0", {}, "int8"),
        ("F16", {}, "float32"),
        ("F32", {}, "float32"),
        ("F16", {"quantize": "q8"}, "int8"),
        ("Q8_0", {"activations": "float32"}, "float32"),
    ],
)
def test_int8_is_said_only_where_it_is(
    tmp_path: Path, kind: str, settings: dict[str, Any], arithmetic: str
) -> None:
    assert describe(tmp_path / "m.gguf", kind, **settings)[1] == f"{arithmetic} activations"


def test_quantizing_is_said_instead_of_the_files_own_type(tmp_path: Path) -> None:
    assert describe(tmp_path / "tiny-F16.gguf", "F16", quantize="q4")[0] == "tiny in q4"


@pytest.mark.parametrize(("threads", "shown"), [(1, "1 thread"), (2, "2 threads")])
def test_threads_are_counted(tmp_path: Path, threads: int, shown: str) -> None:
    assert describe(tmp_path / "m.gguf", threads=threads)[-1] == shown
