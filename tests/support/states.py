"""What lies inside a model, as a backend tells it and as transformers does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from foretell.backends.base import Batch, StatefulBackend, States, StatesAsked

TOLERANCE = 1e-4


def states_of(backend: StatefulBackend, ids: list[int], chunks: list[int]) -> list[States]:
    """All hidden states and all layers' early logits of a text, read in chunks of these sizes."""
    info = backend.info
    blocks = np.arange(-(-len(ids) // info.block_size), dtype=np.int32)[None]
    found, start = [], 0
    for size in chunks:
        every = np.arange(size, dtype=np.int32)
        pairs = np.array([[r, layer] for r in every for layer in range(info.num_layers)], np.int32)
        batch = Batch(
            np.array(ids[start : start + size], np.int32),
            start + every,
            np.array([0, size], np.int32),
            blocks,
            every,
        )
        states = backend.forward_with_states(batch, StatesAsked(every, pairs))
        found.append(States(*map(np.copy, (states.logits, states.hidden, states.early_logits))))
        start += size
    return found


@contextmanager
def _listening(model: Any, num_layers: int) -> Iterator[list[torch.Tensor]]:
    """The rows that each layer of a model of transformers begins with, as it is run."""
    found: list[torch.Tensor] = []

    def hear(_: torch.nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        found.append((args[0] if args else named["hidden_states"])[0])

    lists = (one for one in model.modules() if isinstance(one, torch.nn.ModuleList))
    layers = next(one for one in lists if len(one) == num_layers)
    hooks = [layer.register_forward_pre_hook(hear, with_kwargs=True) for layer in layers]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def assert_states_like_the_reference(backend: StatefulBackend, model: Any, ids: list[int]) -> None:
    """Hidden states, and logits of all layers, are transformers', and the same in any chunks."""
    num_layers = backend.info.num_layers
    with torch.inference_mode(), _listening(model, num_layers) as layers:
        given = torch.tensor([ids], device=model.device)
        last = model(given, output_hidden_states=True).hidden_states[-1][0]
        early = torch.stack([model.get_output_embeddings()(state) for state in layers], dim=1)
    assert num_layers == len(layers)
    (whole,) = states_of(backend, ids, [len(ids)])
    np.testing.assert_allclose(whole.hidden, last.cpu().numpy(), rtol=0, atol=TOLERANCE)
    expected = early.flatten(0, 1).float().cpu().numpy()
    # Rows that no norm has been over can be large, and what float32 loses is in proportion.
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()) / 10)
    np.testing.assert_allclose(whole.early_logits, expected, rtol=0, atol=tolerance)
    parts = states_of(backend, ids, [1, len(ids) - 3, 2])
    for name in ("logits", "hidden", "early_logits"):
        cut = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(cut, getattr(whole, name), rtol=0, atol=TOLERANCE)
        if backend.info.is_exact:
            np.testing.assert_array_equal(cut, getattr(whole, name))
