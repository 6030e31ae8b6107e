"""A GGUF file in a known model's shape with random weights, for speed does not depend on them.

    tokenizer=$(.venv/bin/foretell models path smollm2-135m-instruct)
    python -m benchmarks.shapes llama-1b q4_k_m OUT.gguf --tokenizer "$tokenizer"

Widths, layers, heads and the type of each tensor are those of the model that the shape is named
after, as `llama-quantize` would choose the types; the tokenizer and the chat template are those of
another GGUF file, whose vocabulary is then the model's. The same seed gives the same file, byte for
byte, and no more than one tensor is in memory at a time.
"""

from __future__ import annotations

import argparse
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, LlamaFileType

PART = 1 << 25  # bytes of weights that are made at a time


@dataclass(frozen=True)
class Shape:
    """The numbers of a model of llama.cpp's architecture `llama`, output and embedding tied.

    With experts, each is `inner` wide; a token uses `used` of them.
    """

    name: str
    width: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    inner: int  # of the MLP
    experts: int = 0
    used: int = 0
    context: int = 8192
    rope_base: float = 500000.0


SHAPES = {
    "small": Shape("a small Llama", 512, 4, 8, 4, 64, 1536),  # for trials, not for speed
    "llama-1b": Shape("Llama 3.2 1B", 2048, 16, 32, 8, 64, 8192),
    "llama-3b": Shape("Llama 3.2 3B", 3072, 28, 24, 8, 128, 8192),
    # A few layers: all experts must lie in memory, and a token costs no more than a small model.
    "few-experts": Shape("Llama 3.2 1B, eight experts", 2048, 8, 32, 8, 64, 8192, 8, 2),
    "many-experts": Shape("Qwen 3 30B-A3B", 2048, 6, 32, 4, 128, 768, 128, 8),
}
MIXES = {
    "q4_k_m": LlamaFileType.MOSTLY_Q4_K_M,
    "q8_0": LlamaFileType.MOSTLY_Q8_0,
    "q4_1": LlamaFileType.MOSTLY_Q4_1,
}
FEW = 8  # experts, for which Q4_K_M gives attention more bits
TYPES = {"q4_k_m": Type.Q4_K, "q8_0": Type.Q8_0, "q4_1": Type.Q4_1}
OUTPUT_TYPES = {"q4_k_m": Type.Q6_K, "q8_0": Type.Q8_0, "q4_1": Type.Q6_K}


@dataclass(frozen=True)
class Tensor:
    """One tensor: its shape as numpy has it, rows first, and the type of its weights."""

    name: str
    shape: tuple[int, ...]
    type: Type

    @property
    def num_bytes(self) -> int:
        """Bytes that it has in the file."""
        block, size = GGML_QUANT_SIZES[self.type]
        return int(np.prod(self.shape)) // block * size


def tensors(shape: Shape, mix: str, vocab_size: int) -> Iterator[Tensor]:
    """All tensors of a shape, in the order of the file."""
    width, inner = shape.width, shape.inner
    yield Tensor("token_embd.weight", (vocab_size, width), OUTPUT_TYPES[mix])
    for layer in range(shape.layers):
        raised = gets_more_bits(layer, shape.layers)
        matrices = {
            "attn_q": (shape.heads * shape.head, width),
            "attn_k": (shape.kv_heads * shape.head, width),
            "attn_v": (shape.kv_heads * shape.head, width),
            "attn_output": (width, shape.heads * shape.head),
            **mlp_matrices(shape, width, inner),
        }
        for norm in ("attn_norm", "ffn_norm"):
            yield Tensor(f"blk.{layer}.{norm}.weight", (width,), Type.F32)
        if shape.experts:
            yield Tensor(f"blk.{layer}.ffn_gate_inp.weight", (shape.experts, width), Type.F32)
        for name, size in matrices.items():
            kind = matrix_type(shape, mix, name, raised=raised)
            yield Tensor(f"blk.{layer}.{name}.weight", size, kind)
    yield Tensor("output_norm.weight", (width,), Type.F32)


def mlp_matrices(shape: Shape, width: int, inner: int) -> dict[str, tuple[int, ...]]:
    """Of one layer: an MLP's, or the experts', each kind in one tensor."""
    sizes = {"ffn_gate": (inner, width), "ffn_up": (inner, width), "ffn_down": (width, inner)}
    if not shape.experts:
        return dict(sizes)
    return {f"{name}_exps": (shape.experts, *size) for name, size in sizes.items()}


def matrix_type(shape: Shape, mix: str, name: str, *, raised: bool) -> Type:
    """The type that `llama-quantize` gives a matrix of a layer, which may have more bits."""
    if mix == "q4_k_m" and shape.experts == FEW and name.startswith("attn_"):
        more = {"attn_k": Type.Q8_0, "attn_v": Type.Q8_0, "attn_output": Type.Q5_K}
        return more.get(name, Type.Q4_K)
    is_raised = mix == "q4_k_m" and raised and name in ("attn_v", "ffn_down", "ffn_down_exps")
    return Type.Q6_K if is_raised else TYPES[mix]


def gets_more_bits(layer: int, layers: int) -> bool:
    """Whether `llama-quantize` gives a layer's values and MLP outputs Q6_K in the mix Q4_K_M.

    It does in the first and the last eighth, and in every third layer between.
    """
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def random_bytes(tensor: Tensor, seed: int) -> Iterator[np.ndarray]:
    """A tensor's bytes in parts, `(blocks, bytes of a block)` uint8.

    Codes are uniform. The scales are such that weights have a mean of about 0 and a standard
    deviation of about 1 / sqrt(inputs): each product then keeps the size of what it is given.
    """
    deviation = tensor.shape[-1] ** -0.5
    key = [seed, zlib.crc32(tensor.name.encode())]
    rng = np.random.Generator(np.random.SFC64(key))
    if tensor.type == Type.F32:
        yield _floats(tensor, deviation, rng).view(np.uint8)
        return
    block, size = GGML_QUANT_SIZES[tensor.type]
    fill = FILLS[tensor.type]
    left = int(np.prod(tensor.shape)) // block
    while left:
        count = min(left, PART // size)
        blocks = np.frombuffer(bytearray(rng.bytes(count * size)), np.uint8).reshape(count, size)
        fill(blocks, deviation)
        yield blocks
        left -= count


def _floats(tensor: Tensor, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """A norm's weights are 1; a router's are random, so that all experts are chosen."""
    if len(tensor.shape) == 1:
        return np.ones(tensor.shape, np.float32)
    return rng.standard_normal(tensor.shape, np.float32) * np.float32(deviation)


def _put(blocks: np.ndarray, at: int, value: float) -> None:
    """The same float16 in each block."""
    blocks[:, at : at + 2] = np.array([value], np.float16).view(np.uint8)


def _q4_k(blocks: np.ndarray, deviation: float) -> None:
    """float16 d and dmin, 12 bytes of eight 6-bit scales and minima, 128 bytes of codes."""
    _k_scales(blocks, deviation / (48 * 4.61), 7.5)


def _q5_k(blocks: np.ndarray, deviation: float) -> None:
    """As Q4_K, with 32 bytes of the codes' fifth bits before them."""
    _k_scales(blocks, deviation / (48 * 9.23), 15.5)


def _k_scales(blocks: np.ndarray, d: float, middle: float) -> None:
    """d, dmin, scales and minima of Q4_K and Q5_K.

    A minimum is its scale, and dmin is `middle` d: a weight is d · scale · (code - middle). All
    scales are from 32 to 63, so that the bits that two of them share a byte with are those of both.
    """
    _put(blocks, 0, d)
    _put(blocks, 2, middle * d)
    blocks[:, 4:8] |= 0b10100000  # the first four scales, above them the last four's two high bits
    blocks[:, 4:8] &= 0b10111111
    blocks[:, 8:12] = blocks[:, 4:8]  # the first four minima
    low = blocks[:, 12:16] & 0x0F
    blocks[:, 12:16] = low | (low << 4)  # low bits of the last four scales and minima


def _q6_k(blocks: np.ndarray, deviation: float) -> None:
    """192 bytes of codes, sixteen int8 scales, float16 d: a weight is d · scale · (code - 32)."""
    blocks[:, 192:208] = 64 + (blocks[:, 192:208] & 63)
    _put(blocks, 208, deviation / (96 * 18.5))


def _q8_0(blocks: np.ndarray, deviation: float) -> None:
    """float16 d, 32 int8 codes."""
    blocks[:, 2:][blocks[:, 2:] == 128] = 0  # -128, which no file has
    _put(blocks, 0, deviation / 73.3)


def _q4_1(blocks: np.ndarray, deviation: float) -> None:
    """float16 d and minimum, 16 bytes of codes."""
    d = deviation / 4.61
    _put(blocks, 0, d)
    _put(blocks, 2, -7.5 * d)


FILLS = {
    Type.Q4_K: _q4_k,
    Type.Q5_K: _q5_k,
    Type.Q6_K: _q6_k,
    Type.Q8_0: _q8_0,
    Type.Q4_1: _q4_1,
}


def copy_tokenizer(source: Path, writer: GGUFWriter) -> int:
    """Copy the tokenizer and the chat template of a GGUF file; the number of its tokens."""
    fields = GGUFReader(source).fields
    for key, field in fields.items():
        if key.startswith("tokenizer."):
            kind = field.types[0]
            inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), kind, inner)
    return len(fields["tokenizer.ggml.tokens"].data)


def write(shape: Shape, mix: str, target: Path, tokenizer: Path, seed: int) -> None:
    """Write the file; it has its name only once it is whole."""
    unfinished = target.with_name(target.name + ".unfinished")
    writer = GGUFWriter(unfinished, "llama")
    writer.add_name(f"{shape.name} shape, random weights")
    writer.add_file_type(MIXES[mix])
    vocab_size = copy_tokenizer(tokenizer, writer)
    writer.add_vocab_size(vocab_size)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(1e-5)
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.used)
    found = list(tensors(shape, mix, vocab_size))
    for tensor in found:
        # shapes of quantized tensors are given in bytes
        block, size = GGML_QUANT_SIZES[tensor.type]
        stored = (*tensor.shape[:-1], tensor.shape[-1] // block * size)
        plain = tensor.type == Type.F32
        writer.add_tensor_info(
            tensor.name,
            tensor.shape if plain else stored,
            np.dtype(np.float32 if plain else np.uint8),
            tensor.num_bytes,
            None if plain else tensor.type,
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    output = writer.fout[0]
    writer.write_padding(output, output.tell())
    for tensor in found:
        for part in random_bytes(tensor, seed):
            part.tofile(output)
        writer.write_padding(output, tensor.num_bytes)
    writer.close()
    os.replace(unfinished, target)


def main() -> None:
    """Write the file that the command line asks for."""
    parser = argparse.ArgumentParser(description="a GGUF file of a given shape, random weights")
    parser.add_argument("shape", choices=[*SHAPES])
    parser.add_argument("mix", choices=[*MIXES])
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--tokenizer", type=Path, required=True, help="GGUF file that has the tokenizer"
    )
    arguments = parser.parse_args()
    shape = SHAPES[arguments.shape]
    write(shape, arguments.mix, arguments.output, arguments.tokenizer, arguments.seed)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
