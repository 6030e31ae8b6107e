"""Tiny models that have learnt a text by heart, in a second or two: what they write is no noise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from support.family_files import Family, make_family

TEXT = (
    "the cat sat on the mat and the dog lay by the fire while rain fell on the roof of the old "
    "house; nobody came to the door, nobody rang the bell, and by the time it was dark all slept. "
)
IDS = list(TEXT.encode())  # fewer than 128 of them differ
STEPS, ROWS, LENGTH = 120, 8, 64


def make_trained(family: Family, **sizes: Any) -> tuple[Any, float]:
    """A model that goes on with `TEXT`, from any place in it, and its last loss."""
    with one_thread():
        return _train(make_family(family, **sizes))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread: tiny models gain nothing by more, which wait busily."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def _train(model: Any) -> tuple[Any, float]:
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(0.5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    twice, dice, loss = np.array(IDS * 2), np.random.default_rng(0), torch.tensor(0.0)
    model.train()
    for _ in range(STEPS):
        starts = dice.integers(0, len(IDS), ROWS)
        rows = torch.from_numpy(np.stack([twice[start : start + LENGTH] for start in starts]))
        loss = model(rows, labels=rows).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval(), loss.item()


@torch.inference_mode()
def generated(model: Any, ids: list[int], count: int) -> list[int]:
    """The greedy tokens of transformers' `generate`."""
    given = torch.tensor([ids])
    settings = {"do_sample": False, "max_new_tokens": count, "eos_token_id": None}
    with one_thread():
        found = model.generate(given, attention_mask=torch.ones_like(given), **settings)
    return found[0].tolist()
