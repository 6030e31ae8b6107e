"""What the textbook chapter's functions do, in torch, cut down to the steps that matter.

Claims in `docs/chapter.md` about that code are tested on these. Their models are transformers', or
a script that is called as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch.nn.functional import log_softmax, softmax
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from support.folder_tokenizers import byte_level

EOS_TEXT = "<|endoftext|>"
CONTEXT_LENGTH = 192
CORPUS = ["The cat sat on the mat. Once upon a time, hello, I am here.", "the floor, the bed"]


class CountingModel:
    """A model that counts the positions it computes; of a script, a model is made."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.positions = 0

    def __call__(self, input_ids: torch.Tensor) -> Any:
        self.positions += input_ids.numel()
        return self.model(input_ids)


def model_of(script: Callable[[tuple[int, ...]], Any]) -> Any:
    """A script (see `foretell.backends.scripted`) called as a transformers model is."""

    def forward(input_ids: torch.Tensor) -> SimpleNamespace:
        rows = [torch.from_numpy(script(tuple(ids))) for ids in input_ids.tolist()]
        return SimpleNamespace(logits=torch.stack(rows)[:, None, :])

    return forward


def save_tiny_gpt2(folder: Path) -> Path:
    """A random GPT-2 of two layers, with a byte-level tokenizer, as `from_pretrained` reads it."""
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=CONTEXT_LENGTH,
        n_embd=32,
        n_layer=2,
        n_head=2,
        initializer_range=0.3,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    GPT2LMHeadModel(config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a few merges: any text, a character may be several tokens."""
    tokenizer = byte_level(CORPUS, vocab_size=300, special_tokens=[EOS_TEXT])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=EOS_TEXT, eos_token=EOS_TEXT
    )


@torch.no_grad()
def generate(model: Any, input_ids: torch.Tensor, num_tokens: int, eos: int) -> torch.Tensor:
    """3.2.2: the whole of the ids through the model, the likeliest token, until `eos`."""
    for _ in range(num_tokens):
        next_token = model(input_ids).logits[:, -1, :].argmax(dim=-1, keepdim=True)
        input_ids = torch.cat([input_ids, next_token], dim=-1)
        if next_token.item() == eos:
            break
    return input_ids


def temperature_sample(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """3.2.3: divide, then draw with torch's own random numbers."""
    return torch.multinomial(softmax(logits / temperature, dim=-1), num_samples=1)


def top_k_filter(logits: torch.Tensor, k: int) -> torch.Tensor:
    """3.2.3: the k logits that `torch.topk` answers, -inf elsewhere."""
    values, indices = torch.topk(logits, k)
    return torch.full_like(logits, -torch.inf).scatter_(1, indices, values)


def top_p_sample(logits: torch.Tensor, p: float) -> torch.Tensor:
    """3.2.3: -inf where the sum before a token passes p, written into `logits`."""
    in_order, indices = torch.sort(logits, descending=True)
    remove = torch.cumsum(softmax(in_order, dim=-1), dim=-1) > p
    remove[..., 1:] = remove[..., :-1].clone()
    remove[..., 0] = False
    logits[remove.scatter(1, indices, remove)] = -torch.inf
    return torch.multinomial(softmax(logits, dim=-1), num_samples=1)


@torch.no_grad()
def beam_search(
    model: Any, input_ids: torch.Tensor, width: int, num_tokens: int, eos: int
) -> list[tuple[torch.Tensor, float]]:
    """3.2.4: the best `width` by sum of log-probabilities, finished ones among them."""
    beams = [(input_ids, 0.0)]
    for _ in range(num_tokens):
        candidates = []
        for ids, score in beams:
            if ids[0, -1].item() == eos:
                candidates.append((ids, score))
                continue
            best = torch.topk(log_softmax(model(ids).logits[:, -1, :], dim=-1), width)
            for logprob, token in zip(best.values[0], best.indices[0], strict=True):
                grown = torch.cat([ids, token.view(1, 1)], dim=-1)
                candidates.append((grown, score + logprob.item()))
        beams = sorted(candidates, key=lambda beam: beam[1], reverse=True)[:width]
        if all(ids[0, -1].item() == eos for ids, _ in beams):
            break
    return beams


def apply_repetition_penalty(
    logits: torch.Tensor, generated_ids: torch.Tensor, penalty: float
) -> torch.Tensor:
    """3.2.5: of row 0, the logits of these ids; written into `logits`."""
    for token_id in set(generated_ids.tolist()):
        if logits[0, token_id] > 0:
            logits[0, token_id] /= penalty
        else:
            logits[0, token_id] *= penalty
    return logits


def check_stop_strings(text: str, stop_strings: list[str]) -> bool:
    """3.2.6: whether one of them is anywhere in the text."""
    return any(stop in text for stop in stop_strings)


@torch.no_grad()
def stream(model: Any, tokenizer: Any, ids: torch.Tensor, num_tokens: int) -> Iterator[str]:
    """3.2.7, greedy: each token decoded alone, the end-of-sequence token among them."""
    for _ in range(num_tokens):
        next_token = model(ids).logits[:, -1, :].argmax(dim=-1, keepdim=True)
        ids = torch.cat([ids, next_token], dim=-1)
        yield tokenizer.decode(next_token[0])
        if next_token.item() == tokenizer.eos_token_id:
            break
