"""What `peers.py` measures: engines, works and models, and which of them go together."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import shapes

SAMPLING = {"temperature": 0.8, "top_k": 50, "top_p": 0.95, "seed": 1}
NO_STORE = {"cache_ram_mib": 0, "cache_idle_slots": False}  # no copies of prompts between requests


@dataclass(frozen=True)
class Engine:
    """One engine: the module in peers/ that runs it, and what its command line has.

    After MODEL and THREADS come the number of sequences, if it has slots; `extra`; and the folder
    of converted models, if it converts: `product` is what the name of its model there ends with.
    """

    name: str
    peer: str
    module: str = ""  # that its environment must have
    has_slots: bool = False
    extra: tuple[str, ...] = ()
    product: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = 4.0  # of one work; when they are over, it takes no more turns

    def arguments(self, model: Path, threads: int, slots: int, folder: Path) -> list[str]:
        """The command line of its process."""
        found = [str(model), str(threads), *([str(slots)] if self.has_slots else []), *self.extra]
        return [*found, str(folder)] if self.product else found

    @property
    def is_foretell(self) -> bool:
        """Whether it runs in foretell's environment."""
        return self.peer == "foretell_native"


LONG = 12.0
FORETELL = Engine("foretell", "foretell_native", seconds=20.0)
PEERS = (
    Engine("llama.cpp", "llama_cpp", "xllamacpp", True, (json.dumps(NO_STORE),), seconds=LONG),
    Engine(
        "llama.cpp, no flash attention",
        "llama_cpp",
        "xllamacpp",
        True,
        (json.dumps({**NO_STORE, "flash_attn_type": "DISABLED"}),),
        seconds=2 * LONG,
    ),
    Engine("llama.cpp, built here", "llama_cpp_python", "llama_cpp"),
    Engine("ik_llama.cpp", "ik_llama_cpp", "ik_llama_cpp", True, seconds=LONG),
    Engine("OpenVINO GenAI", "openvino_pipeline", "openvino_genai"),
    Engine("ONNX Runtime GenAI", "onnx_genai", "onnxruntime_genai", product="onnx-int4"),
    Engine("CTranslate2", "ctranslate2_int8", "ctranslate2", product="ctranslate2-int8"),
    Engine(
        "transformers, bfloat16",
        "transformers_generate",
        "transformers",
        extra=("bfloat16",),
        product="bfloat16",
    ),
    Engine(
        "transformers, float32",
        "transformers_generate",
        "transformers",
        extra=("float32",),
        product="float32",
    ),
    Engine("mistral.rs", "mistral_rs", "mistralrs"),
)


def foretell_engines(isas: list[str], kv_dtypes: list[str]) -> list[Engine]:
    """foretell as it is, and once more for each instruction set and type of keys and values."""
    others = [
        Engine(f"foretell, {isa}", FORETELL.peer, environment={"FORETELL_ISA": isa}, seconds=LONG)
        for isa in isas
    ]
    others += [
        Engine(f"foretell, {kv} cache", FORETELL.peer, extra=("int8", kv), seconds=LONG)
        for kv in kv_dtypes
    ]
    return [FORETELL, *others]


@dataclass(frozen=True)
class Work:
    """One kind of work and its figure, a field of the peer's reply.

    `total` is all tokens over the wall clock of the whole call, prefill included.
    """

    name: str
    title: str
    figure: str
    prompt_tokens: int = 16
    tokens: int = 64
    sequences: int = 1
    num_beams: int = 1
    sampling: dict[str, Any] | None = None

    @property
    def op(self) -> str:
        """The operation of the peer."""
        if self.num_beams > 1:
            return "generate_beams"
        return "generate" if self.sequences == 1 else "generate_many"


DECODE, PREFILL = "decode_tokens_per_second", "prefill_tokens_per_second"
WORKS = {
    work.name: work
    for work in (
        Work("decode", "decode", DECODE),
        Work("sampled", "decode, sampled", DECODE, sampling=SAMPLING),
        Work("prefill-512", "prefill, 512 tokens", PREFILL, prompt_tokens=512, tokens=1),
        Work("prefill-2048", "prefill, 2,048 tokens", PREFILL, prompt_tokens=2048, tokens=1),
        Work("decode-4000", "decode at 4,000 positions", DECODE, prompt_tokens=4000, tokens=32),
        Work("many-8", "8 sequences", "total", sequences=8),
        Work("many-32", "32 sequences", "total", sequences=32, tokens=32),
        Work("beams-5", "5 beams", "total", num_beams=5),
    )
}
START = "start"  # whole processes: seconds to the first token, to load, and their memory


@dataclass(frozen=True)
class Model:
    """A model with the works that are measured on it if none are named."""

    name: str
    title: str
    works: tuple[str, ...]
    converts: bool = True
    shape: tuple[str, str] | None = None  # made on the spot
    known: str = ""  # to `foretell models path`

    def file(self, foretell_python: str, folder: Path) -> Path:
        """The GGUF file; a shape is written if it is not there yet."""
        if self.known:
            command = [foretell_python, "-m", "foretell", "models", "path", self.known]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return Path(done.stdout.strip())
        assert self.shape
        shape, mix = self.shape
        target = folder / f"{shape}-{mix}.gguf"
        if not target.exists():
            tokenizer = MODELS["smollm2"].file(foretell_python, folder)
            shapes.write(shapes.SHAPES[shape], mix, target, tokenizer, seed=0)
        return target


TOO_LARGE = "not converted: its weights are 13 GB or more in float32"
MODELS = {
    model.name: model
    for model in (
        Model("smollm2", "SmolLM2 135M, Q4_1", (*WORKS, START), known="smollm2-135m-instruct"),
        Model(
            "gemma",
            "Gemma 3 270M, Q4_K_M",
            ("decode", "sampled", "prefill-512", "many-8", START),
            known="gemma-3-270m",
        ),
        Model(
            "llama-1b",
            "Llama 1B shape, Q4_K_M",
            ("decode", "prefill-512", "many-8", START),
            shape=("llama-1b", "q4_k_m"),
        ),
        Model(
            "llama-3b",
            "Llama 3B shape, Q4_K_M",
            ("decode", "prefill-512", START),
            converts=False,
            shape=("llama-3b", "q4_k_m"),
        ),
        Model(
            "llama-1b-q8",
            "Llama 1B shape, Q8_0",
            ("decode", "prefill-512", START),
            converts=False,
            shape=("llama-1b", "q8_0"),
        ),
        Model(
            "few-experts",
            "8 experts of a Llama 1B shape, 2 used, Q4_K_M",
            ("decode", "prefill-512", "many-8"),
            converts=False,
            shape=("few-experts", "q4_k_m"),
        ),
        Model(
            "many-experts",
            "128 experts of a Qwen 3 30B-A3B shape, 8 used, Q4_K_M",
            ("decode", "prefill-512", "many-8"),
            converts=False,
            shape=("many-experts", "q4_k_m"),
        ),
    )
}
NOT_CONVERTED = {
    "llama-3b": TOO_LARGE,
    "few-experts": TOO_LARGE,
    "many-experts": TOO_LARGE,
    "llama-1b-q8": "not converted: its weights are those that it has of the shape in Q4_K_M",
}
