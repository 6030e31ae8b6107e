"""The playground: a page that a browser fetches from `/`, and the files it is made of.

The files lie in `web/`, as they are written; there is no build step. What the first view needs is
sent as one module and one style, so that it is there at once. The page may load nothing but these
files (`Content-Security-Policy`), and what a model writes is never markup: see docs/playground.md.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException

from foretell.server.asgi import RECORD, Receive, Scope, Send
from foretell.server.heads import as_headers, send_whole, values_of
from foretell.server.joining import join, without_comments

FOLDER = Path(__file__).parent / "web"
PREFIX = "playground/"
INDEX = "index.html"

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}

VENDOR = "vendor/"
LIBRARIES = {
    "preact": "vendor/preact.js",
    "preact/hooks": "vendor/preact-hooks.js",
    "htm": "vendor/htm.js",
    "@preact/signals-core": "vendor/signals-core.js",
    "@preact/signals": "vendor/signals.js",
}
"""Names by which modules import libraries."""

FIRST_MODULE = "main.js"
STYLE = "style.css"
"""The first view's styles in one: these first, then the others by their names."""
FIRST_STYLES = ("style/design.css", "style/base.css")
LATER_STYLE = "later.css"
"""Those of the views that are fetched when they are opened."""
LATER_FOLDERS = ("beams/", "compare/", "learn/", "views/")

_STYLE_COMMENT = re.compile(r"/\*.*?\*/\n?", re.DOTALL)
_VERSION = re.compile(r"[0-9a-f]{16}/")
_NO_QUALITY = re.compile(rb"q=0(\.0*)?")


@dataclass(frozen=True)
class WebFile:
    """A file as it is sent.

    Attributes:
        kind: its media type.
        body, packed: its bytes, and the same compressed with gzip.
        digest: of its bytes.
    """

    kind: str
    body: bytes
    packed: bytes
    digest: str


@dataclass(frozen=True)
class Site:
    """All files.

    Attributes:
        version: a digest of them all. The page names them below it, so that a browser may keep them
            for good, and never has files of two versions on one page.
        files: by their path below `web/`.
        policy: what the page may do.
    """

    version: str
    files: Mapping[str, WebFile]
    policy: str


class Playground:
    """Answers with a file of the page: the page itself where the path names none."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path: str = scope["path_params"].get("name", INDEX)
        site = read_site()
        name = _VERSION.sub("", path, count=1) if _VERSION.match(path) else path
        if name not in site.files:
            raise HTTPException(404)
        scope[RECORD].is_part_of_page = name != INDEX
        is_kept = path.startswith(f"{site.version}/")
        headers = {
            "x-content-type-options": "nosniff",
            "cache-control": "private, max-age=31536000, immutable" if is_kept else "no-cache",
            "vary": "Accept-Encoding",
        }
        if name == INDEX:
            headers |= {"content-security-policy": site.policy, "referrer-policy": "no-referrer"}
        await _send_file(scope, send, site.files[name], headers)


async def _send_file(scope: Scope, send: Send, file: WebFile, headers: dict[str, str]) -> None:
    is_packed = accepts_gzip(_joined(scope, b"accept-encoding"))
    tag = f'"{file.digest}-gzip"' if is_packed else f'"{file.digest}"'
    headers["etag"] = tag
    if has_tag(_joined(scope, b"if-none-match"), tag):
        head = {"status": 304, "headers": as_headers(headers.items())}
        await send({"type": "http.response.start", **head})
        await send({"type": "http.response.body", "body": b""})
        return
    if is_packed:
        headers["content-encoding"] = "gzip"
    await send_whole(send, 200, file.kind, file.packed if is_packed else file.body, headers)


def _joined(scope: Scope, name: bytes) -> bytes:
    """A header that is a list, which may come in several lines."""
    return b",".join(values_of(scope, name))


def accepts_gzip(header: bytes | None) -> bool:
    """Whether an `accept-encoding` allows gzip."""
    qualities = {}
    for part in (header or b"").lower().split(b","):
        name, _, quality = part.partition(b";")
        qualities[name.strip()] = quality.strip()
    found = qualities.get(b"gzip", qualities.get(b"*"))
    return found is not None and not _NO_QUALITY.fullmatch(found)


def has_tag(header: bytes | None, tag: str) -> bool:
    """Whether an `if-none-match` names a tag; proxies mark tags as weak where they pack files."""
    tags = [one.strip().removeprefix(b"W/") for one in (header or b"").split(b",")]
    return tag.encode() in tags or tags == [b"*"]


@cache
def read_site() -> Site:
    """The page and its files; they are read once, in some milliseconds."""
    sources = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in _paths()}
    texts = {**_modules(sources), **_styles(sources)}
    files = {**sources, **{name: text.encode() for name, text in texts.items()}}
    version = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
    imports = _import_map(version)
    files[INDEX] = _page(sources[INDEX].decode(), version, imports).encode()
    sent = {name: _web_file(name, body) for name, body in files.items()}
    return Site(version, sent, _policy(imports))


def _paths() -> Iterator[Path]:
    return (path for path in FOLDER.rglob("*") if path.suffix in TYPES)


def _web_file(name: str, body: bytes) -> WebFile:
    digest = hashlib.sha256(body).hexdigest()[:32]
    return WebFile(TYPES[Path(name).suffix], body, gzip.compress(body, mtime=0), digest)


def _modules(sources: Mapping[str, bytes]) -> dict[str, str]:
    """The page's own modules: the first with all that it imports, the others without comments."""
    own = {
        name: body.decode()
        for name, body in sources.items()
        if name.endswith(".js") and not name.startswith(VENDOR)
    }
    plain = {name: without_comments(code) for name, code in own.items()}
    return {**plain, **join(FIRST_MODULE, own)}


def _styles(sources: Mapping[str, bytes]) -> dict[str, str]:
    names = sorted(name for name in sources if name.endswith(".css") and name not in FIRST_STYLES)
    later = [name for name in names if name.startswith(LATER_FOLDERS)]
    first = [*FIRST_STYLES, *(name for name in names if name not in later)]
    return {STYLE: _joined_style(first, sources), LATER_STYLE: _joined_style(later, sources)}


def _joined_style(names: Iterable[str], sources: Mapping[str, bytes]) -> str:
    return "\n".join(_STYLE_COMMENT.sub("", sources[name].decode()) for name in names)


def _page(template: str, version: str, imports: str) -> str:
    """The page, with the names of libraries and what is to be fetched at once."""
    preloads = [_link("modulepreload", path) for path in LIBRARIES.values()]
    parts = {"style": _link("stylesheet", STYLE), "preloads": "\n    ".join(preloads)}
    for mark, text in parts.items():
        template = template.replace(f"<!-- {mark} -->", text)
    template = template.replace(f'="{PREFIX}', f'="{PREFIX}{version}/')
    script = f'<script type="importmap">{imports}</script>'
    return template.replace("<!-- import map -->", script)


def _link(kind: str, name: str) -> str:
    return f'<link rel="{kind}" href="{PREFIX}{name}" />'


def _import_map(version: str) -> str:
    """Where modules find libraries; and a module that is named without a version is the page's own.

    Otherwise a console that imports `/playground/state/store.js` would begin a second page.
    """
    own = f"./{PREFIX}{version}/"
    imports = {name: f"{own}{path}" for name, path in LIBRARIES.items()}
    return json.dumps({"imports": {**imports, f"./{PREFIX}": own, own: own}})


def _policy(imports: str) -> str:
    """What the page may do: use its own files and its own server, and be in no other page's frame.

    The map of libraries stands in the page itself, as browsers want it, so its hash is told. No
    text can become markup, whatever a module does.
    """
    digest = base64.b64encode(hashlib.sha256(imports.encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'sha256-{digest}'",
            "img-src 'self' data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
