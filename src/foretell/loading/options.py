"""The options with which a model is opened: the one list of them.

`LLM` takes each as an argument of the same name, the command line offers those that have a
description, and `loading.load` passes a backend those that it heeds, and refuses the others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast, get_args

from foretell.backends.native.options import Activations, AdapterChoice, KVDtype, Quantize
from foretell.config import plain
from foretell.config.ranges import MAX_COUNT
from foretell.errors import ConfigError
from foretell.utils.quoting import quote

BackendName = Literal["auto", "native", "transformers"]
DrafterName = Literal[
    "auto",
    "lookup",
]
"""What guesses, where a word says it; `drafters.py` makes it."""

Speculation = DrafterName | Mapping[str, Any] | None
"""What is guessed ahead; of a mapping, the keys are those of `DRAFTER_KEYS`."""

DRAFTER_NAMES: tuple[str, ...] = get_args(DrafterName)
DRAFTER_KEYS = ("draft_model", "corpus")

PathName = str | os.PathLike[str]
AdapterNames = PathName | Sequence[PathName | tuple[PathName, float]] | Mapping[Any, float] | None
"""Adapters: a path, a list of paths or of pairs with a weight, or weights by path."""

PrefixNames = PathName | Sequence[PathName] | None
"""Files of prefixes: a path, or a list of them."""

MAX_ADAPTER_WEIGHT = 1e6
MAX_PATH = 4096


@dataclass(frozen=True)
class Option:
    """What there is to know of an option beside its name and default.

    Attributes:
        backends: those that heed it; none if it is `load_model` that does.
        description: for the shell; None if the shell does not offer it.
        kind: type of its value, in the shell.
        choices: the values that the shell takes, if it is one of a few.
        metavar: how the shell names its value, if not by its type.
        flag: what the shell calls it, if it can be given several times.
        changes_numbers: whether other logits may come of it, and so other tokens.
    """

    backends: tuple[str, ...] = ()
    description: str | None = None
    kind: type = str
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    flag: str | None = None
    changes_numbers: bool = False


def _about(*backends: str, **shell: Any) -> dict[str, Option]:
    return {"option": Option(backends, **shell)}


@dataclass(frozen=True)
class ModelOptions:
    """How a model is opened; `LLM` explains each option.

    Raises:
        ConfigError: there is no such backend.
    """

    revision: str | None = field(
        default=None,
        metadata=_about(description="Branch, tag or commit of a Hugging Face id."),
    )
    backend: BackendName = field(
        default="auto",
        metadata=_about(
            description="What runs the model.  [default: auto, native if it can]",
            choices=get_args(BackendName),
        ),
    )
    quantize: Quantize | None = field(
        default=None,
        metadata=_about(
            "native",
            description="Pack float weights as 8-bit or 4-bit codes.",
            choices=get_args(Quantize),
            changes_numbers=True,
        ),
    )
    adapters: AdapterNames = field(
        default=(),
        metadata=_about(
            "native",
            description="Merge a LoRA adapter into the weights: PEFT's folder or a GGUF file, "
            "=WEIGHT for a part of it. Several are added up.  [repeatable]",
            metavar="PATH[=WEIGHT]",
            flag="--adapter",
        ),
    )
    device: str | None = field(
        default=None,
        metadata=_about(
            "transformers",
            description="Where transformers computes: cpu, cuda, mps.  "
            "[default: an accelerator if any]",
            metavar="NAME",
            changes_numbers=True,
        ),
    )
    dtype: str | None = field(
        default=None,
        metadata=_about(
            "transformers",
            description="Numbers that transformers computes with.  [default: the checkpoint's own]",
            choices=("float32", "bfloat16", "float16"),
            changes_numbers=True,
        ),
    )
    threads: int | None = field(
        default=None,
        metadata=_about(
            "native", description="Threads that compute.  [default: all physical cores]", kind=int
        ),
    )
    activations: Activations = field(
        default="int8", metadata=_about("native", changes_numbers=True)
    )
    context_length: int | None = field(
        default=None,
        metadata=_about(
            "native",
            "transformers",
            description="Most tokens of prompt and output together.  [default: the model's own]",
            kind=int,
            changes_numbers=True,
        ),
    )
    kv_dtype: KVDtype = field(
        default="float16",
        metadata=_about(
            "native",
            description="How keys and values are kept; q8 takes half the memory.  "
            "[default: float16]",
            choices=get_args(KVDtype),
            changes_numbers=True,
        ),
    )
    num_blocks: int | None = field(
        default=None,
        metadata=_about(
            "native",
            "transformers",
            description="Size of the KV pool, in blocks.  "
            "[default: two contexts or more, if memory allows]",
            kind=int,
        ),
    )
    kv_share: float | None = field(
        default=None,
        metadata=_about(
            "native",
            description="Size of the KV pool, as a share of memory.",
            kind=float,
        ),
    )
    speculation: Speculation = field(
        default="auto",
        metadata=_about(
            description="Guess tokens ahead, which changes nothing but the speed: "
            f"{', '.join(DRAFTER_NAMES)}, none, or the name of a smaller model of the same "
            "vocabulary.  [default: auto]",
            metavar=f"{'|'.join(DRAFTER_NAMES)}|none|MODEL",
        ),
    )

    prefixes: PrefixNames = field(
        default=(),
        metadata=_about(
            description="Load what `foretell prefix save` has computed of a prompt.  [repeatable]",
            metavar="FILE",
            flag="--prefix",
        ),
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "speculation":
                object.__setattr__(self, item.name, _read_speculation(value))
            elif item.name == "prefixes":
                object.__setattr__(self, item.name, _read_prefixes(value))
            elif item.name == "adapters":
                object.__setattr__(self, item.name, _read_adapters(value))
            elif item.name not in NAMES_OF_TORCH and value is not item.default:
                object.__setattr__(self, item.name, _read(item.name, value))
        known = get_args(BackendName)
        if self.backend not in known:
            names = ", ".join(map(repr, known))
            raise ConfigError(f"backend={quote(self.backend)} must be one of {names}")

    @property
    def prefix_files(self) -> tuple[Path, ...]:
        """The files of prefixes that are to be loaded."""
        return cast("tuple[Path, ...]", self.prefixes)

    @property
    def stated(self) -> dict[str, Any]:
        """The options of backends that are not at their defaults."""
        return {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if OPTIONS[item.name].backends and getattr(self, item.name) != item.default
        }

    def not_of(self, backend: str) -> dict[str, Any]:
        """Those among the stated that this backend does not heed."""
        return {
            name: value
            for name, value in self.stated.items()
            if backend not in OPTIONS[name].backends
        }


NAMES_OF_TORCH = ("device", "dtype")
"""Options that may be objects of torch's."""

MAX_CHARACTERS = 200


def _read(name: str, value: Any) -> Any:
    """A value in Python's own types; ConfigError for one that no option can have."""
    number, word = plain.number(value), plain.string(value)
    if number is not None and abs(number) <= MAX_COUNT:
        return number
    if word is not None and len(word) <= MAX_CHARACTERS and word.isprintable():
        return word
    if value is None or plain.boolean(value) is not None:  # whoever heeds the option refuses it
        return value
    raise ConfigError(f"{name}={quote(value)} must be a number or a short text")


def _read_speculation(value: Any) -> Any:
    """The value in Python's own types; ConfigError unless it says what is to guess."""
    word = plain.string(value)
    if value is None or word in DRAFTER_NAMES:
        return word
    if isinstance(value, Mapping) and [*value] in [[key] for key in DRAFTER_KEYS]:
        return dict(value)
    keys = " or ".join(f"{{{key!r}: …}}" for key in DRAFTER_KEYS)
    names = ", ".join(map(repr, DRAFTER_NAMES))
    raise ConfigError(f"speculation={quote(value)} must be {names}, None, {keys}")


def _read_prefixes(value: Any) -> tuple[Path, ...]:
    """The files; ConfigError for what is no path."""
    one = (value,) if isinstance(value, (str, os.PathLike)) else value
    listed = () if one is None else one
    paths = [_read_path(path) for path in listed] if isinstance(listed, (list, tuple)) else [None]
    if None in paths:
        raise ConfigError(f"prefixes={quote(value)} must be a path, or a list of paths")
    return tuple(path for path in paths if path is not None)


def _read_path(value: Any) -> Path | None:
    """The path; None for what is none."""
    name = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(name, str) or not 0 < len(name) <= MAX_PATH or not name.isprintable():
        return None
    return Path(name).expanduser()


def _read_adapters(value: Any) -> tuple[AdapterChoice, ...]:
    """The adapters in order; ConfigError for what is none."""
    if value is None:
        return ()
    if isinstance(value, (str, os.PathLike)):
        return (_read_adapter(value, 1.0),)
    if isinstance(value, Mapping):
        return tuple(_read_adapter(path, weight) for path, weight in value.items())
    if not isinstance(value, (list, tuple)):
        raise _no_adapter(value)
    pairs = [one if isinstance(one, (list, tuple)) else (one, 1.0) for one in value]
    if any(len(pair) != 2 for pair in pairs):
        raise _no_adapter(value)
    return tuple(_read_adapter(path, weight) for path, weight in pairs)


def _read_adapter(path: Any, weight: Any) -> AdapterChoice:
    number = plain.number(weight)
    if isinstance(path, AdapterChoice):
        return path
    found = _read_path(path)
    if found is None:
        raise _no_adapter(path)
    if number is None or not -MAX_ADAPTER_WEIGHT <= number <= MAX_ADAPTER_WEIGHT:
        raise ConfigError(
            f"adapters={quote(os.fspath(path))}: its weight is {quote(weight)}: must be a number "
            f"from -{MAX_ADAPTER_WEIGHT:g} to {MAX_ADAPTER_WEIGHT:g}"
        )
    return AdapterChoice(found, float(number))


def _no_adapter(value: Any) -> ConfigError:
    return ConfigError(
        f"adapters={quote(value)} must be a path, a list of paths or of (path, weight), or "
        "{path: weight}"
    )


OPTIONS: dict[str, Option] = {item.name: item.metadata["option"] for item in fields(ModelOptions)}
"""Every option by its name."""
