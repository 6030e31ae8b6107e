"""Writes into `docs/families.md` which families the native backend has, from their files.

make families
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import foretell
from foretell.backends.native.architectures import families
from foretell.backends.native.model import Model

PAGE = Path(foretell.__file__).parents[2] / "docs" / "families.md"
MARKED = re.compile(r"(<!-- families -->\n)(.*?)(<!-- /families -->)", re.DOTALL)
SENTENCE_END = re.compile(r"(?<=[a-z)\d]\.) (?=[A-Z])")
HEADS = (
    "family",
    "file",
    "`model_type` of folders",
    "architecture of GGUF files",
    "what is its own",
)


def table() -> str:
    """All families, as Markdown."""
    rows = sorted((_row(family) for family in families()), key=lambda row: row[0].lower())
    lines = [HEADS, ("---",) * len(HEADS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _row(family: type[Model]) -> tuple[str, ...]:
    who, what = told(family)
    file = family.__module__.rpartition(".")[2] + ".py"
    return (who, file, _codes(family.MODEL_TYPES), _codes(family.ARCHITECTURES), what)


def told(family: type[Model]) -> tuple[str, str]:
    """Who a family is, and what is its own: two halves of its file's first sentence, or two."""
    text = sys.modules[family.__module__].__doc__ or ""
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    first, *others = (sentence for one in paragraphs for sentence in SENTENCE_END.split(one))
    who, _, what = first.removesuffix(".").partition(": ")
    return who, what or others[0].removesuffix(".")


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def written(page: str) -> str:
    """A page with the table between its marks."""
    return MARKED.sub(lambda found: f"{found[1]}{table()}{found[3]}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
