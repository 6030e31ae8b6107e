"""HTML as a browser would read it, for tests."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br"}
PHRASING = {"span", "b", "summary", "p", "pre"}  # in which no block may stand


class Reader(HTMLParser):
    """Collects tags, attributes and text; what is nested as HTML forbids is an error.

    Attributes:
        tags: the names of all elements.
        attributes: pairs of name and value.
        text: what stands outside of style sheets.
        styles: the style sheets.
        details: the texts of the hidden details.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = self.styles = ""
        self.details: list[str] = []
        self.open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        within = {name for name, _ in self.open}
        assert tag in PHRASING | VOID - {"p", "pre"} or within.isdisjoint(PHRASING), tag
        kind = dict(attrs).get("class") or ""
        if kind == "ft-card":
            self.details.append("")
        if tag not in VOID:
            self.open.append((tag, kind))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self.open.pop()
        assert opened == tag

    def handle_data(self, data: str) -> None:
        names = [name for name, _ in self.open]
        if "style" in names:
            self.styles += data
        elif any(kind == "ft-card" for _, kind in self.open):
            self.details[-1] += data
        else:
            self.text += data


def read_html(markup: str) -> Reader:
    """A document or a part of one, read to its end; every element must be closed."""
    reader = Reader()
    reader.feed(markup)
    reader.close()
    assert reader.open == []
    return reader
