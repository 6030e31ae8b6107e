"""A receipt, and files of receipts: a line of JSON each."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foretell.config import GenerationConfig
from foretell.errors import ConfigError, ForetellError, ReceiptError
from foretell.formats.json import parse_objects, read_text
from foretell.receipts.facts import ModelFacts, TokenFact
from foretell.receipts.reading import FORMAT, checked_fields
from foretell.utils.files import write_atomically
from foretell.utils.quoting import escape, quote
from foretell.utils.short_repr import call_repr

MAX_BYTES = 1 << 26
MAX_RECEIPTS = 1 << 16


@dataclass(frozen=True, repr=False)
class Receipt:
    """All that it takes to make a text again, and the text that it must come to.

        output.receipt.save("receipt.json")
        print(llm.replay("receipt.json"))

    No path is in it, and nothing that depends on the company in which the text was made, or on the
    machine.

    Attributes:
        foretell: version of the engine.
        model: what ran.
        settings: all that were in force, ready for JSON: the stated ones, those of presets and
            dialects, the seed that was drawn.
        stated: names of those from which the others follow.
        functions: names of those that had functions, which no receipt can hold.
        prompt_token_ids: of the prompt; of a chat, of what its template made.
        index: which of the prompt's samples this is.
        token_ids: of the text.
        text: the text.
        finish_reason: why it ended.
        stop_kind, stop_value: which rule ended it, and on what.
        num_tokens: tokens that were generated, with those that a stop has cut.
        score: that of a search.
        logprobs: what was reported of each token, at the first stage; None where nothing was.
        format: of the receipt.
    """

    foretell: str
    model: ModelFacts
    settings: Mapping[str, Any]
    stated: tuple[str, ...]
    functions: tuple[str, ...]
    prompt_token_ids: tuple[int, ...]
    index: int
    token_ids: tuple[int, ...]
    text: str
    finish_reason: str
    stop_kind: str | None
    stop_value: int | float | str | None
    num_tokens: int
    score: float | None = None
    logprobs: tuple[TokenFact, ...] | None = None
    format: int = FORMAT

    @property
    def seed(self) -> int | None:
        """The seed that was used, stated or drawn; None where nothing was drawn."""
        return self.settings.get("seed")

    @property
    def dialect(self) -> str:
        """Whose meaning the settings have."""
        return str(self.settings["dialect"])

    def config(self, functions: Mapping[str, Any] | None = None) -> GenerationConfig:
        """The settings, to run with; ConfigError if they make no sense.

        Args:
            functions: those that it cannot hold, by their settings.
        """
        kept = {name: self.settings[name] for name in self.stated if name not in self.functions}
        try:
            return GenerationConfig(**{**kept, **(functions or {})})
        except ConfigError as error:
            raise ConfigError(f"the receipt's settings: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)

    def to_json(self) -> str:
        """The same as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file; errors as of `save_receipts`."""
        save_receipts([self], path)

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """The receipt that a text holds; ReceiptError if it holds none, or several."""
        return _only(parse_receipts(text, "the receipt"))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Receipt:
        """The receipt that a file holds; ReceiptError if it holds none, or several."""
        return _only(load_receipts(path))

    def __repr__(self) -> str:
        told = {"text": self.text, "model": self.model.name, "seed": self.seed}
        return call_repr(type(self).__name__, told)


def read_receipt(given: Receipt | str | os.PathLike[str]) -> Receipt:
    """A receipt, or that of the file at this path; ReceiptError if it is neither."""
    if isinstance(given, Receipt):
        return given
    if isinstance(given, str | os.PathLike):
        return Receipt.load(given)
    raise ReceiptError(
        f"receipt is {quote(given)}: must be a Receipt, such as output.receipt, or the path of a "
        "file that has one; of JSON Receipt.from_json makes one"
    )


def _only(found: list[Receipt]) -> Receipt:
    if len(found) > 1:
        raise ReceiptError(f"there are {len(found)} receipts: must be one")
    return found[0]


def save_receipts(receipts: Sequence[Receipt], path: str | os.PathLike[str]) -> None:
    """Write receipts to a file, a line each.

    OSError where that cannot be; ReceiptError if they are more than a file is read of again.
    """
    data = "".join(f"{one.to_json()}\n" for one in receipts).encode()
    if len(receipts) > MAX_RECEIPTS or len(data) > MAX_BYTES:
        raise ReceiptError(
            f"{escape(Path(path))} would have {len(receipts)} receipts in {len(data)} bytes: must "
            f"have at most {MAX_RECEIPTS} in {MAX_BYTES}"
        )
    write_atomically(Path(path), data)


def load_receipts(path: str | os.PathLike[str]) -> list[Receipt]:
    """All receipts of a file, at least one; ReceiptError where there is none, or a damaged one."""
    try:
        text = read_text(Path(path), MAX_BYTES)
    except ForetellError as error:
        raise ReceiptError(str(error)) from None
    return parse_receipts(text, escape(Path(path)))


def parse_receipts(text: str, source: str) -> list[Receipt]:
    """All receipts of a text, one behind the other; errors as above, which name `source`."""
    if len(text) > MAX_BYTES:
        raise ReceiptError(f"{source} has {len(text)} characters: must have at most {MAX_BYTES}")
    try:
        found = parse_objects(text, source)
    except ForetellError as error:
        raise ReceiptError(str(error)) from None
    if not 0 < len(found) <= MAX_RECEIPTS:
        raise ReceiptError(f"{source} has {len(found)} receipts: must have 1 to {MAX_RECEIPTS}")
    return [Receipt(**checked_fields(data, source)) for data in found]
