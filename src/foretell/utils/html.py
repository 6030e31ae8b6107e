"""One look for all that shows itself in a notebook: markup, a style sheet, and no script.

    frame(flow(prompt, tokens), notes=["40 tokens"])

Whatever a model or a user wrote is escaped here. A view brings its own background, so that its
colours are legible on any page; a dark page is known by the reader's preference, and by what
JupyterLab, VS Code and Colab say of themselves. Shades differ in their underlines as well.

Nothing has an id, so several views may be on one page. Where a notebook removes style sheets, as
GitHub and untrusted notebooks do, texts and tables stay and the details of tokens stay hidden.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from foretell.utils import quoting
from foretell.utils.display import cut_whole, show_token
from foretell.utils.terminal import show_bytes

LIGHT = {
    "page": "#ffffff",
    "text": "#16191d",
    "quiet": "#57606a",
    "line": "#c9d1d9",
    "accent": "#1a5fb4",
    "shade0": "#ffffff",
    "shade1": "#dcebfb",
    "shade2": "#b3d2f6",
    "shade3": "#86b6ee",
    "shade4": "#5b9ae4",
}
"""Colours on light pages, by what they are for; the shades grow with the probability."""

DARK = {
    "page": "#14171c",
    "text": "#f3f6f9",
    "quiet": "#a3adb8",
    "line": "#3d4650",
    "accent": "#7db4f5",
    "shade0": "#14171c",
    "shade1": "#1b2f49",
    "shade2": "#214673",
    "shade3": "#295c9b",
    "shade4": "#2f70bd",
}
"""The same on dark pages."""

BOUNDS = (0.01, 0.1, 0.5, 0.9)
"""Probabilities at which the next shade begins."""

LEGEND = ("below 1%", "1–10%", "10–50%", "50–90%", "from 90%")
MAX_DETAILED = 1000  # tokens of one view that have details: each takes about a kilobyte
MARKED = {" ": "space", "\n": "break", "\t": "tab"}

DARK_PAGES = ('[data-jp-theme-light="false"]', ".vscode-dark", "html[theme=dark]")
LIGHT_PAGES = ('[data-jp-theme-light="true"]', ".vscode-light", "html[theme=light]")

RULES = """
.foretell{background:var(--ft-page);color:var(--ft-text);font:14px/1.5 system-ui,sans-serif;
border:1px solid var(--ft-line);border-radius:6px;padding:12px;text-align:left;
container-type:inline-size}
.foretell *{box-sizing:border-box}
.foretell .ft-flow{font:14px/2.1 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;
overflow-wrap:anywhere;max-height:34em;overflow-y:auto;padding:0 2px}
.foretell .ft-quiet{color:var(--ft-quiet);margin:6px 0;font-size:13px;overflow-wrap:anywhere}
.foretell .ft-legend .ft-token{color:var(--ft-text);white-space:nowrap}
.foretell .ft-prompt{color:var(--ft-quiet)}
.foretell .ft-token{border-bottom:0 solid var(--ft-text);border-radius:3px 3px 0 0;padding:2px 1px;
margin-right:1px;box-decoration-break:clone;-webkit-box-decoration-break:clone}
.foretell [tabindex]{cursor:help}
.foretell [tabindex]:hover,.foretell [tabindex]:focus{outline:2px solid var(--ft-accent);
outline-offset:1px}
.foretell .ft-l0{background:var(--ft-shade0);border-bottom:2px dotted}
.foretell .ft-l1{background:var(--ft-shade1);border-bottom:2px dashed}
.foretell .ft-l2{background:var(--ft-shade2);border-bottom:1px solid}
.foretell .ft-l3{background:var(--ft-shade3);border-bottom:3px solid}
.foretell .ft-l4{background:var(--ft-shade4);border-bottom:4px double}
.foretell .ft-whole{margin-right:6px}
.foretell .ft-bytes{font-size:11px}
.foretell .ft-space,.foretell .ft-tab{position:relative}
.foretell .ft-space::before{content:"·";position:absolute;left:0}
.foretell .ft-tab::before{content:"⇥";position:absolute;left:0}
.foretell .ft-break::before{content:"↵"}
.foretell .ft-stage{position:relative}
.foretell .ft-pane{height:16em;border-top:1px solid var(--ft-line);padding:8px 4px}
.foretell .ft-card{position:absolute;left:0;right:0;bottom:0;height:16em;overflow:auto;z-index:1;
background:var(--ft-page);border-top:1px solid var(--ft-line);padding:8px 4px;
font:13px/1.45 system-ui,sans-serif;white-space:normal;cursor:auto}
.foretell [tabindex]:focus-within>.ft-card,.foretell [tabindex]:focus>.ft-card{
display:block!important}
.foretell [tabindex]:hover>.ft-card{display:block!important;z-index:2}
.foretell .ft-head{display:block;font:600 14px/1.5 ui-monospace,Menlo,Consolas,monospace;
white-space:pre-wrap}
.foretell .ft-figures{display:flex;flex-wrap:wrap;gap:2px 18px}
.foretell .ft-figures b{font-weight:400;color:var(--ft-quiet)}
.foretell .ft-more{display:flex;flex-wrap:wrap;gap:6px 36px;margin-top:5px}
.foretell .ft-story{flex:1 1 20em;max-width:68ch}
.foretell .ft-others{display:grid;column-gap:18px;align-content:start;
font-variant-numeric:tabular-nums}
.foretell .ft-others>span{white-space:pre-wrap}
.foretell .ft-others>b{font-weight:400;color:var(--ft-quiet)}
.foretell .ft-scroll{overflow-x:auto;margin:6px 0}
.foretell table{border-collapse:collapse;font-size:13px;color:inherit;background:none;margin:0;
font-variant-numeric:tabular-nums}
.foretell table tr,.foretell table tbody tr:nth-child(n){background:none}
.foretell table th,.foretell table td{padding:3px 9px;text-align:right;vertical-align:top;
border-bottom:1px solid var(--ft-line);font-weight:400;color:inherit;background:none;
white-space:nowrap;max-width:none}
.foretell table thead th{color:var(--ft-quiet)}
.foretell table .ft-left.ft-left{text-align:left;white-space:pre}
.foretell table .ft-wide.ft-wide{text-align:left;white-space:pre-wrap;
overflow-wrap:anywhere;min-width:16em}
.foretell .ft-bar{display:inline-block;width:6em;height:.75em;border:1px solid var(--ft-quiet);
vertical-align:-1px}
.foretell .ft-bar>span{display:block;height:100%;background:var(--ft-accent)}
.foretell .ft-steps{max-height:30em;overflow-y:auto}
.foretell summary{cursor:pointer;padding:2px 0}
.foretell summary:focus-visible{outline:2px solid var(--ft-accent)}
.foretell pre{overflow-x:auto;font:12px/1.45 ui-monospace,Menlo,Consolas,monospace;color:inherit;
background:none;margin:6px 0}
.foretell .ft-low .ft-pane,.foretell .ft-low .ft-card{height:13em}
@container (max-width:560px){.foretell .ft-pane,.foretell .ft-card{height:30em}
.foretell .ft-low .ft-pane,.foretell .ft-low .ft-card{height:16em}}
"""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Cell = str | Markup


@dataclass(frozen=True)
class TokenView:
    """A token as it is shown.

    Attributes:
        data: its bytes.
        probability: what shades it, 0 to 1; None for no shade.
        figures: what is told of it, by label.
        story: what else there is to say.
        others: further tokens and their figures, a row each; the first row is headings.
    """

    data: bytes
    probability: float | None
    figures: Mapping[str, str]
    story: str = ""
    others: Sequence[Sequence[str]] = ()


def tree_rules(colours: Mapping[str, str]) -> str:
    """The rules of a picture of a tree, with these colours, by what they are for."""
    page, text, quiet, line, accent, done = (
        colours[name] for name in ("page", "text", "quiet", "line", "accent", "shade2")
    )
    names = ".ft-tree .ft-"
    return (
        f".ft-tree text{{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        f"fill:{text};stroke:none}}{names}page{{fill:{page}}}"
        f"{names}head{{font-weight:600;font-size:14px}}{names}quiet{{fill:{quiet};font-size:12px}}"
        f".ft-tree rect{{fill:{page};stroke:{quiet};stroke-width:1.2}}"
        f"{names}page.ft-page,{names}mark.ft-mark{{stroke:none}}"
        f".ft-tree rect.ft-finished{{fill:{done};stroke:{accent}}}"
        f".ft-tree rect.ft-fell{{stroke:{line};stroke-dasharray:3 3}}"
        f".ft-tree rect.ft-best{{stroke:{accent};stroke-width:2.6}}"
        f".ft-tree path{{fill:none;stroke:{quiet};stroke-width:1.2}}"
        f".ft-tree path.ft-fell{{stroke:{line};stroke-width:1}}"
        f".ft-tree path.ft-best{{stroke:{accent};stroke-width:3}}"
    )


def style_sheet() -> str:
    """The rules of all views, for light and dark pages."""
    light, dark = _variables(LIGHT), _variables(DARK)
    return (
        f".foretell{{color-scheme:light;{light}}}"
        f"@media(prefers-color-scheme:dark){{.foretell{{color-scheme:dark;{dark}}}}}"
        f"{_below(LIGHT_PAGES)}{{color-scheme:light;{light}}}"
        f"{_below(DARK_PAGES)}{{color-scheme:dark;{dark}}}{RULES}"
        f"{tree_rules({name: f'var(--ft-{name})' for name in LIGHT})}"
    )


def _variables(colours: Mapping[str, str]) -> str:
    return ";".join(f"--ft-{name}:{colour}" for name, colour in colours.items())


def _below(pages: Iterable[str]) -> str:
    return ",".join(f"{page} .foretell" for page in pages)


def frame(*parts: str, notes: Iterable[str] = ()) -> str:
    """A whole view: its style sheet, its parts, which are HTML, and notes, which are plain text."""
    lines = "".join(f'<p class="ft-quiet">{visible(note)}</p>' for note in notes if note)
    return f'<div class="foretell"><style>{style_sheet()}</style>{"".join(parts)}{lines}</div>'


def visible(text: str) -> str:
    """Text, escaped; what would not be seen, or would reorder what is, shows as Python has it."""
    return escape(quoting.escape(text, keep="\n\t"))


def flow(prompt: str, tokens: Sequence[TokenView]) -> str:
    """A prompt and what follows it, token by token; details below on hover, focus and touch."""
    first = f'<span class="ft-prompt">{visible(cut_whole(prompt))}</span>'
    shown = "".join(_joined(tokens))
    text = f'<div class="ft-flow">{first}{shown}</div>'
    if not tokens:
        return text
    hint = "Point at a token, tap it or reach it with the Tab key: its figures show here."
    if len(tokens) > MAX_DETAILED:
        hint = f"{hint} Only the first {MAX_DETAILED:,} tokens have figures."
    pane = f'<div class="ft-pane ft-quiet">{hint}</div>'
    kind = "ft-stage" if any(token.story for token in tokens) else "ft-stage ft-low"
    return f'<div class="{kind}">{text}{_legend()}{pane}</div>'


def plain_flow(prompt: str, text: str) -> str:
    """A prompt and a text of whose tokens nothing is known."""
    first = f'<span class="ft-prompt">{visible(cut_whole(prompt))}</span>'
    return f'<div class="ft-flow">{first}<span>{visible(cut_whole(text))}</span></div>'


def _legend() -> str:
    boxes = " ".join(
        f'<span class="ft-token ft-l{level}"> {words} </span>' for level, words in enumerate(LEGEND)
    )
    return f'<p class="ft-quiet ft-legend">probability by the model: {boxes}</p>'


def _joined(tokens: Sequence[TokenView]) -> Iterator[str]:
    """The tokens; where several spell a character, that character, then its pieces."""
    pieces: list[str] = []
    data = b""
    for index, token in enumerate(tokens):
        data += token.data
        pieces.append(_token(token, is_detailed=index < MAX_DETAILED))
        if _is_whole(data) and len(pieces) > 1:
            yield f'<span class="ft-whole">{_marked(data.decode())}{"".join(pieces)}</span>'
        elif _is_whole(data) or not _may_become_whole(data):
            yield from pieces
        else:
            continue
        pieces, data = [], b""
    yield from pieces


def _is_whole(data: bytes) -> bool:
    return not _broken(data)


def _broken(data: bytes) -> bytes:
    """What of these bytes is no character."""
    text = data.decode(errors="surrogateescape")
    return bytes(ord(char) - 0xDC00 for char in text if "\udc80" <= char <= "\udcff")


def _may_become_whole(data: bytes) -> bool:
    """Whether more bytes could complete the last character, and all others are whole."""
    broken = _broken(data)
    is_tail = data.endswith(broken) and 0 < len(broken) < 4
    return is_tail and broken[0] >= 0xC2 and all(0x80 <= byte < 0xC0 for byte in broken[1:])


def _token(token: TokenView, *, is_detailed: bool) -> str:
    kinds = ["ft-token"]
    if token.probability is not None:
        kinds.append(f"ft-l{level_of(token.probability)}")
    if _broken(token.data):
        kinds.append("ft-bytes")
    text = _marked(show_bytes(token.data))
    kind = " ".join(kinds)
    if not is_detailed:
        return f'<span class="{kind}">{text}</span>'
    return f'<span class="{kind}" tabindex="0">{text}{_card(token)}</span>'


def level_of(probability: float) -> int:
    """The shade of a probability, from 0 for the least likely."""
    return sum(probability >= bound for bound in BOUNDS)


def _marked(text: str) -> str:
    """Text whose white space the style sheet marks; what is copied is the text itself."""
    return "".join(
        f'<span class="ft-{MARKED[char]}">{char}</span>' if char in MARKED else visible(char)
        for char in text
    )


def _card(token: TokenView) -> str:
    """The details: hidden, also where no style sheet says so."""
    figures = "".join(
        f"<span><b>{escape(label)}</b> {visible(figure)}</span>"
        for label, figure in token.figures.items()
    )
    head = visible(show_token(show_bytes(token.data)))
    story = f'<span class="ft-story">{visible(token.story)}</span>' if token.story else ""
    more = f'<span class="ft-more">{story}{_others(token.others)}</span>'
    return (
        f'<span class="ft-card" style="display:none"><span class="ft-head">{head}</span>'
        f'<span class="ft-figures">{figures}</span>{more}</span>'
    )


def _others(rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    heads = "".join(f"<b>{escape(heading)}</b>" for heading in rows[0])
    cells = "".join(f"<span>{visible(cell)}</span>" for row in rows[1:] for cell in row)
    columns = f"grid-template-columns:repeat({len(rows[0])},auto)"
    return f'<span class="ft-others" style="{columns}">{heads}{cells}</span>'


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    left: Collection[int] = (0,),
    wide: Collection[int] = (),
) -> str:
    """A table that scrolls where it is too wide; figures stand at the right of their columns.

    Args:
        headings: of the columns.
        rows: cells; plain text is escaped, `Markup` is not.
        left: the columns of words, at the left; others have figures.
        wide: the columns of texts, which wrap.
    """
    kinds = [
        ' class="ft-wide"' if column in wide else ' class="ft-left"' if column in left else ""
        for column in range(len(headings))
    ]
    pairs = zip(headings, kinds, strict=True)
    head = "".join(f'<th scope="col"{kind}>{escape(heading)}</th>' for heading, kind in pairs)
    body = "".join(
        f"<tr>{''.join(_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    return (
        f'<div class="ft-scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell, kind: str) -> str:
    return f"<td{kind}>{cell if isinstance(cell, Markup) else visible(cell)}</td>"


def bar(share: float) -> Markup:
    """A bar as long as the share, 0 to 1, of its box."""
    return Markup(f'<span class="ft-bar"><span style="width:{share:.1%}"></span></span>')


def details(summary: str, content: str, *, is_open: bool = False) -> str:
    """HTML that opens below a line of plain text."""
    attribute = " open" if is_open else ""
    return f"<details{attribute}><summary>{visible(summary)}</summary>{content}</details>"


def scrolling(content: str) -> str:
    """HTML of many parts, in a box that scrolls."""
    return f'<div class="ft-steps">{content}</div>'


def preformatted(text: str) -> str:
    """Lines of plain text, in columns."""
    return f"<pre>{visible(text)}</pre>"
