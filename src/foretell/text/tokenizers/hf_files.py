"""A tokenizer as a checkpoint's folder keeps it, every field checked.

`tokenizer.json` says how text becomes ids, and what is put before it. `tokenizer_config.json` (or
`special_tokens_map.json`) names the special tokens and has the chat template, unless
`chat_template.jinja` does. `generation_config.json`, or else `config.json`, names more tokens that
end a generation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from foretell.errors import ConfigError, ModelFileError
from foretell.formats.file_names import CONFIG, GENERATION_CONFIG, TOKENIZER, TOKENIZER_CONFIG
from foretell.formats.json import read_optional_object, read_text
from foretell.text.tokenizers.vocabulary import DEFAULT_TEMPLATE
from foretell.utils.quoting import escape, quote

MAX_TOKENIZER_BYTES = 1 << 28
MAX_TEMPLATE_BYTES = 1 << 20
MAX_TEMPLATES = 64


@dataclass(frozen=True)
class TokenizerFiles:
    """What a folder, or a tokenizer of transformers, says of a tokenizer.

    Attributes:
        source: where it comes from, for messages.
        text: the content of `tokenizer.json`; empty where there is none.
        special_tokens: names of the special tokens by role: "bos_token", "eos_token", ...
        extra_tokens: names of special tokens without a role.
        chat_templates: Jinja sources by name; that of a usual chat is "default".
        end_ids: ids of tokens that end a generation, besides "eos_token".
        vocab_size: length of the model's logits; None if unknown.
    """

    source: str
    text: str = ""
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    extra_tokens: tuple[str, ...] = ()
    chat_templates: Mapping[str, str] = field(default_factory=dict)
    end_ids: frozenset[int] = frozenset()
    vocab_size: int | None = None


def read_files(folder: Path) -> TokenizerFiles:
    """Read a folder's files.

    Raises:
        ModelFileError: a file is damaged, or a value impossible.
        ModelNotFoundError: there is no `tokenizer.json`.
    """
    path = folder / TOKENIZER
    return replace(read_settings(folder, escape(path)), text=read_text(path, MAX_TOKENIZER_BYTES))


def read_settings(folder: Path, source: str) -> TokenizerFiles:
    """What a folder's files say of a tokenizer beside its vocabulary, which `source` has."""
    config = read_optional_object(folder / TOKENIZER_CONFIG) or {}
    older = read_optional_object(folder / "special_tokens_map.json") or {}
    model = read_optional_object(folder / CONFIG) or {}
    generation = read_optional_object(folder / GENERATION_CONFIG) or {}
    return TokenizerFiles(
        source=source,
        special_tokens=dict(_special_tokens({**older, **config}, folder)),
        extra_tokens=tuple(_extra_tokens({**older, **config})),
        chat_templates=_read_templates(folder, config),
        end_ids=frozenset(
            _end_ids(generation, folder / GENERATION_CONFIG) or _end_ids(model, folder / CONFIG)
        ),
        vocab_size=_vocab_size(model, folder / CONFIG),
    )


def take_files(tokenizer: Any, vocab_size: int | None, end_ids: frozenset[int]) -> TokenizerFiles:
    """What a fast tokenizer of transformers would be saved as; ConfigError if it is none."""
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if not hasattr(backend, "to_str"):
        raise ConfigError(
            f"tokenizer={type(tokenizer).__name__} must be a Tokenizer of foretell, or one of "
            "transformers that tokenizer.json can hold"
        )
    source = f"tokenizer {type(tokenizer).__name__}"
    named = getattr(tokenizer, "special_tokens_map", {})
    extra = getattr(tokenizer, "extra_special_tokens", None)
    return TokenizerFiles(
        source=source,
        text=backend.to_str(),
        special_tokens={role: name for role, name in named.items() if isinstance(name, str)},
        extra_tokens=tuple(_extra_tokens({"extra_special_tokens": extra})),
        chat_templates=named_templates(getattr(tokenizer, "chat_template", None), source),
        end_ids=end_ids,
        vocab_size=vocab_size,
    )


def _special_tokens(config: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """Names by role: of `..._token`, and of the model's own roles as transformers keeps them."""
    own = [config.get(key) for key in ("extra_special_tokens", "model_specific_special_tokens")]
    roles = [one.items() for one in own if isinstance(one, dict)]
    for key, value in chain(config.items(), *roles):
        if key.endswith("_token") and not key.startswith("add_"):
            name = _content(value)
            if isinstance(name, str):
                yield key, name
            elif name is not None and key in ("bos_token", "eos_token"):
                raise ModelFileError(
                    f"{escape(folder / TOKENIZER_CONFIG)}: {key} is {quote(name)}: must be a string"
                )


def _extra_tokens(config: Mapping[str, Any]) -> Iterator[str]:
    for key in ("additional_special_tokens", "extra_special_tokens"):
        values = config.get(key)
        names = map(_content, values if isinstance(values, (list, tuple)) else ())
        yield from (name for name in names if isinstance(name, str))


def _content(token: object) -> object:
    """What a token is called, which may be written down with its flags."""
    if isinstance(token, dict):
        return token.get("content")
    return getattr(token, "content", token)


def _read_templates(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Those of files of their own, or else of the config.

    In `additional_chat_templates` each file is one more, by its name.
    """
    path = folder / "chat_template.jinja"
    if not (path.exists() or path.is_symlink()):
        older = read_optional_object(folder / "chat_template.json") or {}
        return named_templates(
            config.get("chat_template") or older.get("chat_template"), escape(folder)
        )
    others = sorted((folder / "additional_chat_templates").glob("*.jinja"))
    if len(others) > MAX_TEMPLATES:
        raise ModelFileError(f"{escape(folder)} has more than {MAX_TEMPLATES} chat templates")
    files = {**{other.stem: other for other in others}, DEFAULT_TEMPLATE: path}
    return {name: read_text(file, MAX_TEMPLATE_BYTES) for name, file in files.items()}


def named_templates(value: object, source: object) -> dict[str, str]:
    """Templates by name: several that are listed, or one alone, which is the default."""
    if isinstance(value, list):
        return dict(_named_template(entry, source) for entry in value)
    found: dict[str, Any] = value if isinstance(value, dict) else {DEFAULT_TEMPLATE: value}
    for template in found.values():
        if not isinstance(template, str | None):
            raise ModelFileError(
                f"{escape(source)}: chat_template is {quote(template)}: must be a string"
            )
    return {name: template for name, template in found.items() if template is not None}


def _named_template(entry: object, source: object) -> tuple[str, str]:
    found = (entry.get("name"), entry.get("template")) if isinstance(entry, dict) else (None, None)
    name, template = found
    if not (isinstance(name, str) and isinstance(template, str)):
        raise ModelFileError(
            f"{escape(source)}: chat_template lists {quote(entry)}: must be "
            '{"name": ..., "template": ...}, both texts'
        )
    return name, template


def _end_ids(config: Mapping[str, Any], path: Path) -> list[int]:
    value = config.get("eos_token_id")
    if value is None and isinstance(config.get("text_config"), dict):
        value = config["text_config"].get("eos_token_id")
    values = value if isinstance(value, list) else [] if value is None else [value]
    for token_id in values:
        if type(token_id) is not int or token_id < 0:
            raise ModelFileError(
                f"{escape(path)}: eos_token_id is {quote(value)}: must be token ids"
            )
    return values


def _vocab_size(config: Mapping[str, Any], path: Path) -> int | None:
    inner = config.get("text_config")
    size = (inner if isinstance(inner, dict) else config).get("vocab_size")
    if size is not None and (type(size) is not int or not 0 < size < 2**24):
        raise ModelFileError(
            f"{escape(path)}: vocab_size is {quote(size)}: must be a number of tokens"
        )
    return size
