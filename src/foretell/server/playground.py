"""The playground: a page that a browser fetches from `/`, and the files it is made of.

The files lie in `web/`, as they are written; there is no build step. The page may load nothing but
them (`Content-Security-Policy`), and what a model writes is never markup: see docs/playground.md.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException

from foretell.server.asgi import Receive, Scope, Send
from foretell.server.heads import send_whole, value_of

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

LIBRARIES = {
    "preact": "vendor/preact.js",
    "preact/hooks": "vendor/preact-hooks.js",
    "htm": "vendor/htm.js",
    "@preact/signals-core": "vendor/signals-core.js",
    "@preact/signals": "vendor/signals.js",
    "d3-hierarchy": "vendor/d3-hierarchy.js",
}
"""Names by which modules import libraries."""

FIRST_STYLES = ("style/design.css", "style/base.css")
FETCHED_LATER = ("compare/", "beams/", "learn/", "vendor/d3-hierarchy.js")
"""What only some views need: fetched when they are opened."""


@dataclass(frozen=True)
class WebFile:
    """A file as it is sent.

    Attributes:
        kind: its media type.
        body, packed: its bytes, and the same compressed with gzip.
        tag: of these bytes, by which a browser asks whether its copy is still right.
    """

    kind: str
    body: bytes
    packed: bytes
    tag: bytes


class Playground:
    """Answers with a file of the page: the page itself where the path names none."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        found = web_files().get(scope["path_params"].get("name", INDEX))
        if found is None:
            raise HTTPException(404)
        headers = {
            "content-security-policy": _policy(),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cache-control": "no-cache",
            "vary": "Accept-Encoding",
            "etag": found.tag.decode(),
        }
        if value_of(scope, b"if-none-match") == found.tag:
            await send_whole(send, 304, found.kind, b"", headers)
            return
        body = found.body
        if b"gzip" in (value_of(scope, b"accept-encoding") or b""):
            headers["content-encoding"] = "gzip"
            body = found.packed
        await send_whole(send, 200, found.kind, body, headers)


@cache
def web_files() -> Mapping[str, WebFile]:
    """The files by their path below `web/`; read once, when a browser first asks."""
    files = {name: _web_file(name, path.read_bytes()) for name, path in sorted(_paths())}
    page = _page(FOLDER.joinpath(INDEX).read_text("utf-8"), [*files])
    return {**files, INDEX: _web_file(INDEX, page.encode())}


def _paths() -> Iterator[tuple[str, Path]]:
    for path in FOLDER.rglob("*"):
        if path.suffix in TYPES:
            yield path.relative_to(FOLDER).as_posix(), path


def _web_file(name: str, body: bytes) -> WebFile:
    digest = hashlib.sha256(body).hexdigest()[:32]
    packed = gzip.compress(body, mtime=0)
    return WebFile(TYPES[Path(name).suffix], body, packed, f'"{digest}"'.encode())


def _page(template: str, names: list[str]) -> str:
    """The page, with the styles, the names of libraries and what is to be fetched at once."""
    others = [name for name in names if name.endswith(".css") and name not in FIRST_STYLES]
    styles = [*FIRST_STYLES, *others]
    modules = [name for name in names if name.endswith(".js")]
    at_once = [name for name in modules if not name.startswith(FETCHED_LATER)]
    parts = {
        "styles": [f'<link rel="stylesheet" href="{PREFIX}{name}" />' for name in styles],
        "import map": [f'<script type="importmap">{_import_map()}</script>'],
        "preloads": [f'<link rel="modulepreload" href="{PREFIX}{name}" />' for name in at_once],
    }
    for mark, lines in parts.items():
        template = template.replace(f"<!-- {mark} -->", "\n    ".join(lines))
    return template


@cache
def _import_map() -> str:
    return json.dumps({"imports": {name: f"./{PREFIX}{path}" for name, path in LIBRARIES.items()}})


@cache
def _policy() -> str:
    """What the page may do: use its own files and its own server, and be in no other page's frame.

    The map of libraries stands in the page itself, as browsers want it, so its hash is told.
    """
    digest = base64.b64encode(hashlib.sha256(_import_map().encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'sha256-{digest}'",
            "img-src 'self' data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
        )
    )
