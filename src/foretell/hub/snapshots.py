"""Which files of a repository make a model, and whether a folder has them all."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path

from foretell.errors import ModelNotFoundError, UnsupportedModelError
from foretell.formats.file_names import (
    ADDED_TOKENS,
    CONFIG,
    GENERATION_CONFIG,
    INDEX,
    MAX_INDEX_BYTES,
    MERGES,
    PICKLES,
    SENTENCEPIECE,
    TEKKEN,
    TOKENIZER,
    TOKENIZER_CONFIG,
    VOCAB,
    WEIGHTS,
)
from foretell.formats.split_names import part_names
from foretell.utils.quoting import TEXT, name_some, quote

_SMALL = (CONFIG, GENERATION_CONFIG, TOKENIZER_CONFIG, "special_tokens_map.json")
_OLDER_TOKENIZERS = (TEKKEN, SENTENCEPIECE, VOCAB, MERGES, ADDED_TOKENS)
_LISTED = 8


def choose_files(names: Collection[str], shards: Collection[str] | None) -> list[str]:
    """The files that a checkpoint needs, weights last; nothing in a folder, no other format.

    `shards` are those that the index names, None where there is none, or the weights are whole.
    """
    at_root = sorted(name for name in names if "/" not in name)
    return [*_choose_small(at_root), *_choose_weights(at_root, shards)]


def _choose_small(at_root: list[str]) -> list[str]:
    tokenizer = [TOKENIZER] if TOKENIZER in at_root else list(_OLDER_TOKENIZERS)
    small = {*_SMALL, *tokenizer, INDEX}
    return [name for name in at_root if name in small or name.startswith("chat_template")]


def _choose_weights(at_root: list[str], shards: Collection[str] | None) -> list[str]:
    if shards is not None:
        return sorted(shards)
    return [WEIGHTS] if WEIGHTS in at_root else _ending(at_root, ".safetensors")


def check_is_checkpoint(repo: str, names: Collection[str]) -> None:
    """Refuse a repository that holds no checkpoint which can be run, and say what it holds.

    Raises:
        ModelNotFoundError: it has GGUF files, one of which is to be named; or no model at all.
        UnsupportedModelError: it has pickles only, or is an adapter.
    """
    at_root = [name for name in names if "/" not in name]
    safetensors, files = _ending(at_root, ".safetensors"), _gguf_models(names)
    if safetensors and CONFIG in at_root:
        return
    if files:
        raise ModelNotFoundError(
            f"{repo} has GGUF files: name one, such as '{repo}:{files[0]}'; there are "
            f"{name_some(files, _LISTED)}"
        )
    if "adapter_config.json" in at_root:
        raise UnsupportedModelError(
            f"{repo} is an adapter to another model: give that model, and the adapter's folder as "
            "adapters="
        )
    if safetensors:
        raise UnsupportedModelError(
            f"{repo} has weights, but no {CONFIG} that says how to run them"
        )
    raise _refuse_formats(repo, names)


def _refuse_formats(repo: str, names: Collection[str]) -> UnsupportedModelError:
    pickles = [name for name in sorted(names) if name.endswith(PICKLES)]
    if pickles:
        return UnsupportedModelError(
            f"{repo} has its weights only as a pickle ({pickles[0]}), which can run any code when "
            "it is read: give a repository with safetensors or GGUF files"
        )
    return UnsupportedModelError(
        f"{repo} holds no model that foretell reads: give a repository with safetensors "
        "or GGUF files"
    )


def check_has_file(repo: str, filename: str, names: Collection[str]) -> None:
    """Refuse a GGUF file that the repository lacks, with those that resemble it.

    Raises:
        ModelNotFoundError: there is no such file, or it is no GGUF file.
    """
    files = _gguf_models(names)
    if filename in files:
        return
    if filename in names:
        raise ModelNotFoundError(
            f"{repo}:{filename} is no GGUF file: give '{repo}', or one of them"
        )
    near = _near(filename, files)
    if not files:
        hint = "it has no GGUF files at all"
    elif near:
        hint = f"did you mean {' or '.join(repr(f'{repo}:{name}') for name in near)}?"
    else:
        hint = f"there are {name_some(files, _LISTED)}"
    raise ModelNotFoundError(f"{repo} has no file {quote(filename, TEXT)}: {hint}")


def _near(wanted: str, names: list[str]) -> list[str]:
    """Up to three names that contain what is wanted, such as `q4_k_m`, or else resemble it."""
    import difflib  # not at the top: for names that are wrong alone

    inside = [name for name in names if wanted.lower().removesuffix(".gguf") in name.lower()]
    return (inside or difflib.get_close_matches(wanted, names))[:3]


def _ending(names: Iterable[str], suffix: str) -> list[str]:
    return sorted(name for name in names if name.lower().endswith(suffix))


def _gguf_models(names: Collection[str]) -> list[str]:
    """GGUF files, of each split model the first part."""
    return [name for name in _ending(names, ".gguf") if name == part_names(name)[0]]


def missing_files(folder: Path) -> list[str]:
    """What a checkpoint's folder lacks of what no checkpoint can do without, by name.

    A link to a file that is gone stands for one that was there.
    """
    config = [] if (folder / CONFIG).is_file() else [CONFIG]
    tokenizers = (TOKENIZER, *_OLDER_TOKENIZERS)
    tokenizer = [] if any((folder / name).is_file() for name in tokenizers) else [TOKENIZER]
    needed = [*config, *tokenizer, *_missing_weights(folder)]
    links = sorted(file.name for file in folder.glob("*") if file.is_symlink())
    gone = [name for name in _choose_small(links) if not (folder / name).exists()]
    return list(dict.fromkeys([*needed, *gone]))


def _missing_weights(folder: Path) -> list[str]:
    if (folder / WEIGHTS).is_file():
        return []
    if (folder / INDEX).is_file():
        shards = read_shards(folder / INDEX)
        return [name for name in shards or [INDEX] if not (folder / name).is_file()]
    return [] if any(file.is_file() for file in folder.glob("*.safetensors")) else [WEIGHTS]


def read_shards(index: Path) -> list[str] | None:
    """The files that an index of shards names, sorted; None where it cannot be read as one."""
    try:
        if index.stat().st_size > MAX_INDEX_BYTES:
            return None
        shards = {str(name) for name in json.loads(index.read_bytes())["weight_map"].values()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return sorted(shards) or None
