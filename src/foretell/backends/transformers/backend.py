"""The transformers backend: any causal model of that library, through torch.

batch → logits, in as few padded passes as the batch allows. Keys and values lie in foretell's
blocks, and are shown to the model as a `Cache` of its own library.

    backend = TransformersBackend.load("path/to/folder")

What holds: a row of logits is what the model itself computes of that sequence, and in float32 the
greedy tokens are those of `model.generate`. What does not: torch adds in another order for another
shape of input, so a row's last digits depend on what runs beside it and on how its prompt was cut:
in float32 by 1e-4 at most where it was measured. Tokens differ only where two are that close.
"""

from __future__ import annotations

import errno
import inspect
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from foretell.backends.base import (
    BackendInfo,
    Batch,
    States,
    StatesAsked,
    default_num_blocks,
)
from foretell.backends.transformers.checks import (
    cache_argument,
    check_config,
    check_count,
    check_evaluates,
    check_kind,
    check_process,
    choose_context,
    is_out_of_memory,
    load_reason,
    one_line,
    quiet_bars,
    text_config,
)
from foretell.backends.transformers.padding import Indices, OutputRows, View, passes
from foretell.errors import (
    ConfigError,
    ModelFileError,
    ModelNotFoundError,
    UnsupportedModelError,
)
from foretell.utils.arrays import Logits
from foretell.utils.extras import how_to_install
from foretell.utils.quoting import TEXT, quote

try:
    import torch
    from torch import Tensor
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
    from transformers.utils import logging as transformers_logging

    from foretell.backends.transformers.blocks import BlockCache, BlockStore
except ImportError as error:
    raise ConfigError(
        "backend='transformers' needs torch and transformers: run "
        f"{how_to_install('transformers')} ({error})"
    ) from error

BLOCK_SIZE = 16
MAX_BATCH_TOKENS = 512
PROMPT_TOKENS_BESIDE = 128  # passes cost so much by themselves that few tokens are no cheaper
DTYPES = ("auto", "float64", "float32", "bfloat16", "float16")


class TransformersBackend:
    """Implements `backends.base.Backend` on a transformers model.

    Args:
        model: a causal language model in evaluation mode, on any device. It is not changed.
        context_length: most positions of a sequence; not given: what the model was made for, or
            2048 where its positions have no limit (ALiBi).
        num_blocks: KV blocks in the pool; not given: see `default_num_blocks`. Memory is taken as
            blocks come into use.
        block_size: positions in a block.
        max_batch_tokens: most tokens of one batch.

    Attributes:
        model: the model.
        unread: tensors of a checkpoint that the model has no place for.

    Raises:
        ConfigError: a setting out of range, or a model in training mode.
        UnsupportedModelError: the model remembers something else than keys and values.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        context_length: int | None = None,
        num_blocks: int | None = None,
        block_size: int = BLOCK_SIZE,
        max_batch_tokens: int = MAX_BATCH_TOKENS,
    ) -> None:
        check_kind(model)
        context_length = choose_context(context_length, model)
        check_count("block_size", block_size)
        check_count("max_batch_tokens", max_batch_tokens)
        if num_blocks is not None:
            check_count("num_blocks", num_blocks)
        self.model = model
        self.unread: tuple[str, ...] = ()
        self._device = cast(Tensor, model.get_input_embeddings().weight).device
        self._cache_argument = cast(str, cache_argument(model))
        self._arguments = frozenset(inspect.signature(model.forward).parameters)
        self._pads = "position_ids" in self._arguments  # else it may count the padding
        self._num_layers = int(text_config(model).num_hidden_layers)
        self._block_size = block_size
        self._process = os.getpid()
        self._store = BlockStore(block_size)
        vocab_size, kv_bytes = self._probe(), self._store.bytes_per_position
        default = default_num_blocks(context_length, block_size, block_size * kv_bytes)
        self._info = BackendInfo(
            name="transformers",
            description=f"{type(model).__name__}, {_name_of(model.dtype)}, {self._device}",
            vocab_size=vocab_size,
            context_length=context_length,
            block_size=block_size,
            num_blocks=default if num_blocks is None else num_blocks,
            max_batch_tokens=max_batch_tokens,
            weight_bytes=sum(one.numel() * one.element_size() for one in model.parameters()),
            kv_bytes_per_token=kv_bytes,
            threads=torch.get_num_threads(),
            prompt_tokens_beside=PROMPT_TOKENS_BESIDE,
            num_layers=self._num_layers,
            ties_embeddings=_ties_embeddings(model),
        )

    @classmethod
    def load(
        cls,
        name_or_path: str,
        *,
        revision: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
        **sizes: Any,
    ) -> TransformersBackend:
        """Load a checkpoint with `AutoModelForCausalLM`; no pickle is read, no code in it is run.

        Args:
            name_or_path: a folder, or the id of a repository on the hub.
            revision: branch, tag or commit of the repository; not given: its main branch.
            device: "cpu", "cuda", "mps", ...; not given: an accelerator if there is one.
            dtype: "float64", "float32", "bfloat16" or "float16"; not given, or "auto": the
                checkpoint's own.
            sizes: `context_length`, `num_blocks`, ...: see the class.

        Raises:
            ConfigError: a setting out of range.
            ModelNotFoundError: there is no such checkpoint, or no safetensors in it.
            ModelFileError: a tensor is missing, damaged or of the wrong shape, or holds NaN.
            UnsupportedModelError: transformers does not know the architecture, or it is none of
                keys and values.
            MemoryError: there is too little.
        """
        chosen = "auto" if dtype is None else str(dtype).removeprefix("torch.")
        if chosen not in DTYPES:
            raise ConfigError(f"dtype={quote(dtype)} must be one of {', '.join(map(repr, DTYPES))}")
        torch_device = _choose_device(device)
        model, unread = _load_model(name_or_path, revision=revision or "main", dtype=chosen)
        try:
            moved = cast(Any, model).to(torch_device)
        except RuntimeError as error:  # no such number, or no room
            raise ConfigError(f"device={str(torch_device)!r}: {one_line(error)}") from error
        _check_weights(moved, name_or_path)
        backend = cls(moved, **sizes)
        backend.unread = unread
        return backend

    @property
    def info(self) -> BackendInfo:
        """What this backend is; constant over its life."""
        return self._info

    def forward(self, batch: Batch) -> Logits:
        """Logits `(R, vocab_size)` of the rows asked for.

        ConfigError if the model was set to training mode, or in a forked process.
        """
        check_process(self._process)
        check_evaluates(self.model)
        rows = np.empty((len(batch.logits_indices), self._info.vocab_size), dtype=np.float32)
        for sequences in passes(batch, pads=self._pads):
            outputs = OutputRows.of(batch, sequences)
            rows[outputs.indices] = self._run(batch, sequences, outputs)
        return rows

    def forward_with_states(self, batch: Batch, asked: StatesAsked) -> States:
        """The same, with the last hidden states and the logits of early layers asked for."""
        check_process(self._process)
        check_evaluates(self.model)
        logits = np.empty((len(batch.logits_indices), self._info.vocab_size), dtype=np.float32)
        width = cast(Tensor, self.model.get_input_embeddings().weight).shape[1]
        hidden = np.empty((len(asked.hidden_indices), width), dtype=np.float32)
        early = np.empty((len(asked.early), self._info.vocab_size), dtype=np.float32)
        for sequences in passes(batch, pads=self._pads):
            outputs = OutputRows.of(batch, sequences)
            answer = self._answer(batch, sequences, outputs, output_hidden_states=True)
            if answer.hidden_states is None:
                raise UnsupportedModelError(f"{type(self.model).__name__} gives no hidden states")
            logits[outputs.indices] = self._rows(answer.logits, outputs)
            place_of = np.full(len(batch.tokens), -1)
            tokens = View.of(batch, sequences, self._block_size).tokens
            place_of[tokens] = np.arange(tokens.size).reshape(tokens.shape)
            for to, token in enumerate(asked.hidden_indices):
                if place_of[token] >= 0:
                    hidden[to] = _numbers(answer.hidden_states[-1].flatten(0, 1)[place_of[token]])
            for to, (row, layer) in enumerate(asked.early):
                place = place_of[batch.logits_indices[row]]
                if place >= 0:
                    early[to] = self._end_early(answer.hidden_states[layer].flatten(0, 1)[place])
        return States(logits, hidden, early)

    def _end_early(self, state: Tensor) -> NDArray[np.float32]:
        """The logits that the output matrix makes of a layer's rows."""
        with torch.inference_mode():
            return _numbers(cast(Any, self.model).get_output_embeddings()(state))

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy each (source, destination) KV block, in order."""
        origins: dict[int, int] = {}
        for source, destination in pairs:
            origins[destination] = origins.get(source, source)
        if origins:
            self._store.copy([*origins.values()], [*origins])

    def _run(self, batch: Batch, sequences: Indices, outputs: OutputRows) -> Logits:
        """Logits `(W, vocab_size)` of one pass over sequences that have as many new tokens."""
        return self._rows(self._answer(batch, sequences, outputs).logits, outputs)

    def _answer(self, batch: Batch, sequences: Indices, outputs: OutputRows, **wishes: Any) -> Any:
        """What the model says of one pass."""
        view = View.of(batch, sequences, self._block_size)
        self._store.reserve(int(view.cells.max()) + 1)
        inputs: dict[str, Any] = {
            "input_ids": self._tensor(batch.tokens[view.tokens]),
            "attention_mask": self._tensor(view.is_real),
            "position_ids": self._tensor(batch.positions[view.tokens]),
            "logits_to_keep": self._tensor(outputs.kept),
        }
        inputs = {name: value for name, value in inputs.items() if name in self._arguments}
        inputs[self._cache_argument] = BlockCache(self._store, view, self._num_layers)
        with torch.inference_mode():
            return self.model(**inputs, use_cache=True, return_dict=True, **wishes)

    def _rows(self, logits: Tensor, outputs: OutputRows) -> Logits:
        """The rows asked for of a pass; of a model that cannot leave out columns, too."""
        with torch.inference_mode():
            if "logits_to_keep" not in self._arguments:
                logits = logits[:, torch.from_numpy(outputs.kept)]
            rows = torch.from_numpy(outputs.rows), torch.from_numpy(outputs.columns)
            return _numbers(logits[rows])

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values.astype(np.int64)).to(self._device)

    def _probe(self) -> int:
        """Run two tokens, to see that keys and values come; the length of a row of logits."""
        zero = np.zeros(1, np.int32)
        positions, ends = np.arange(2, dtype=np.int32), np.array([0, 2], np.int32)
        batch = Batch(np.repeat(zero, 2), positions, ends, positions[None], zero + 1)
        sequences = zero.astype(np.int64)
        kind = type(self.model).__name__
        try:
            logits = self._run(batch, sequences, OutputRows.of(batch, sequences))
        except (AttributeError, LookupError, TypeError, ValueError, NotImplementedError) as error:
            raise UnsupportedModelError(
                f"{kind} does not work with a cache of keys and values only: {one_line(error)}"
            ) from error
        if not self._store.bytes_per_position:
            raise UnsupportedModelError(
                f"{kind} keeps no keys and values in transformers' cache: only models that do can "
                "run here"
            )
        return int(logits.shape[1])


def _numbers(values: Tensor) -> NDArray[np.float32]:
    return cast("NDArray[np.float32]", values.float().cpu().numpy())


def _ties_embeddings(model: PreTrainedModel) -> bool:
    output, inputs = (
        cast(Any, model).get_output_embeddings(),
        cast(Any, model.get_input_embeddings()),
    )
    return output is not None and output.weight is inputs.weight


def _choose_device(wanted: str | None) -> torch.device:
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    available["cpu"] = True
    names = [name for name, is_there in available.items() if is_there]
    try:
        device = torch.device(names[0] if wanted is None else wanted)
    except RuntimeError as error:
        raise ConfigError(
            f"device={quote(wanted)} must be one of {names}: {one_line(error)}"
        ) from error
    if not available.get(device.type, False):
        raise ConfigError(f"device={quote(wanted)} is not available here: must be one of {names}")
    return device


def _load_model(name: str, *, revision: str, dtype: str) -> tuple[PreTrainedModel, tuple[str, ...]]:
    """A model in evaluation mode, no tensor of it at random, and the tensors that it leaves out."""
    auto = cast(Any, AutoModelForCausalLM)
    config = read_config(name, revision)
    with _load_errors(name), quiet_bars(transformers_logging):
        model, report = auto.from_pretrained(
            name,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            output_loading_info=True,
            revision=revision,
            trust_remote_code=False,
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelFileError(
            f"model={quote(name, TEXT)}: {len(missing)} tensors are missing, the first is "
            f"{quote(missing[0])}"
        )
    return cast(PreTrainedModel, model.eval()), tuple(sorted(report["unexpected_keys"]))


def read_config(name: str, revision: str = "main") -> Any:
    """What `AutoConfig` makes of a checkpoint's `config.json`, if it can run here.

    Raises:
        ModelNotFoundError: there is no such checkpoint.
        ModelFileError: it is damaged.
        UnsupportedModelError: transformers does not know the architecture, or it is none of a
            causal language model that keeps keys and values.
    """
    with _load_errors(name):
        config = AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
        check_config(config)
    return config


@contextmanager
def _load_errors(name: str) -> Iterator[None]:
    """What transformers raises over a checkpoint, as one sentence that names it; or MemoryError."""
    try:
        yield
    except UnsupportedModelError as error:
        raise UnsupportedModelError(f"model={quote(name, TEXT)}: {error}") from None
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from error
        raise ModelNotFoundError(f"model={quote(name, TEXT)}: {one_line(error)}") from error
    except (ValueError, KeyError) as error:
        raise UnsupportedModelError(f"model={quote(name, TEXT)}: {one_line(error)}") from error
    except MemoryError:
        raise
    except Exception as error:  # what a config.json from anywhere makes of it has no end
        if is_out_of_memory(error):
            raise MemoryError from error
        raise ModelFileError(f"model={quote(name, TEXT)}: {load_reason(error)}") from error


def _check_weights(model: Any, name: str) -> None:
    """ModelFileError if a weight is NaN or infinite."""
    for title, weight in model.named_parameters():
        if _name_of(weight.dtype) in DTYPES and not torch.isfinite(weight).all():
            raise ModelFileError(
                f"model={quote(name, TEXT)}: tensor {quote(title)} holds NaN or infinite "
                "weights: must be finite"
            )


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
