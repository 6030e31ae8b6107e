"""The playground's files: how they are sent, and what must be true of each of them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import posixpath
import re
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.asgi import Answer, call
from support.served import served
from support.toy_async import run
from support.toy_server import serving

from foretell.server import playground
from foretell.server.joining import imports_of, without_comments
from foretell.server.options import ServerOptions
from foretell.server.playground import FOLDER, LIBRARIES, TYPES, accepts_gzip, has_tag, read_site

ROOT = Path(__file__).parents[2]
OWN = sorted(
    path for path in FOLDER.rglob("*") if path.suffix in TYPES and path.parent.name != "vendor"
)
MODULES = [path for path in OWN if path.suffix == ".js"]
FIRST_VIEW_BYTES = 100_000


def name_of(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


def answer_of(
    path: str,
    *,
    method: str = "GET",
    options: ServerOptions | None = None,
    root: str = "",
    **headers: str,
) -> Answer:
    """What a toy server answers."""
    found: list[Answer] = []
    told = {name.replace("_", "-"): value for name, value in headers.items()}

    async def main() -> None:
        async with serving(options=options) as toy:

            def app(scope: Any, receive: Any, send: Any) -> Any:
                return toy.app({**scope, "root_path": root}, receive, send)

            found.append(await call(app, path, method=method, headers=told))

    run(main)
    return found[0]


def policy_of(answer: Answer) -> dict[str, str]:
    parts = answer.headers["content-security-policy"].split("; ")
    return {name: rest for name, _, rest in (part.partition(" ") for part in parts)}


def links_of(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]+)"', page)


def test_the_page_may_load_nothing_but_its_own_files():
    answer = answer_of("/")
    assert (answer.status, answer.headers["content-type"]) == (200, TYPES[".html"])
    policy = policy_of(answer)
    (map_,) = re.findall(r'<script type="importmap">(.*?)</script>', answer.body.decode())
    digest = base64.b64encode(hashlib.sha256(map_.encode()).digest()).decode()
    assert "content-security-policy" not in answer_of("/playground/main.js").headers
    assert policy["default-src"] == "'self'"
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["trusted-types"] == policy["frame-ancestors"] == policy["object-src"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_each_file_that_the_page_names_is_there_with_its_type():
    async def main() -> None:
        async with serving() as toy:
            page = (await call(toy.app, "/")).body.decode()
            names = links_of(page)
            assert len(names) > 5
            for name in names:
                answer = await call(toy.app, f"/{name}")
                assert answer.status == 200, name
                assert answer.headers["content-type"] == TYPES[Path(name).suffix], name
                assert "immutable" in answer.headers["cache-control"], name

    run(main)


@pytest.mark.parametrize("path", OWN, ids=name_of)
def test_a_file_is_sent(path):
    body = path.read_bytes()
    plain = answer_of(f"/playground/{name_of(path)}")
    packed = answer_of(f"/playground/{name_of(path)}", accept_encoding="br, gzip")
    assert plain.headers["cache-control"] == packed.headers["cache-control"] == "no-cache"
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["etag"] != packed.headers["etag"]
    assert gzip.decompress(packed.body) == plain.body
    if path.suffix not in (".js", ".html"):  # to which something is done
        assert plain.body == body
    assert int(packed.headers["content-length"]) == len(packed.body)


def test_what_a_browser_has_is_not_sent_again():
    tag = answer_of("/").headers["etag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = answer_of("/", if_none_match=sent)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == tag
        assert "content-length" not in again.headers
    assert answer_of("/", if_none_match='"other"').status == 200
    assert answer_of("/", if_none_match=tag, accept_encoding="gzip").status == 200


@pytest.mark.parametrize(
    ("header", "is_accepted"),
    [
        (None, False),
        (b"", False),
        (b"gzip", True),
        (b"GZIP;q=0.5", True),
        (b"br, gzip;q=0", False),
        (b"gzip; q=0.000", False),
        (b"br", False),
        (b"*", True),
        (b"*;q=0, gzip", True),
        (b"gzip;q=0, *", False),
        (b"xgzip", False),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(header, is_accepted):
    assert accepts_gzip(header) is is_accepted


def test_tags():
    assert not has_tag(None, '"a"')
    assert not has_tag(b'"ab"', '"a"')
    assert has_tag(b'"b","a"', '"a"')


@pytest.mark.parametrize(
    "path",
    [
        "/playground/nothing.js",
        "/playground/",
        "/playground/../playground.py",
        "/playground/web/../../playground.py",
        "/playground/%2e%2e/playground.py",
        "/playground//etc/passwd",
        "/playground/app",
        "/playground/0123456789abcdef/nothing.js",
        "/playground/0123456789abcdef/0123456789abcdef/main.js",
        "/playground/main.js/",
    ],
)
def test_there_is_nothing_else(path):
    answer = answer_of(path)
    assert answer.status == 404
    assert "there is nothing at" in answer.error["message"]


def test_an_older_page_gets_what_there_is_now_and_may_not_keep_it():
    answer = answer_of("/playground/0123456789abcdef/main.js")
    assert answer.body == read_site().files["main.js"].body
    assert answer.headers["cache-control"] == "no-cache"


def test_it_can_be_mounted_below_a_path():
    page = answer_of("/deep/", root="/deep")
    assert page.status == 200
    assert not [one for one in links_of(page.body.decode()) if one.startswith("/")]
    assert answer_of("/deep/playground/main.js", root="/deep").status == 200


def test_it_is_only_to_be_read():
    for path in ("/", "/playground/main.js"):
        answer = answer_of(path, method="POST")
        assert answer.status == 405
        assert "GET" in answer.headers["allow"]


def test_the_page_is_open_and_what_it_asks_is_not():
    options = ServerOptions(model_names=("toy",), api_keys=("secret",))
    assert answer_of("/", options=options).status == 200
    assert answer_of("/playground/main.js", options=options).status == 200
    assert answer_of("/v1/models", options=options).status == 401


def test_it_can_be_left_out():
    options = ServerOptions(playground=False)
    for path in ("/", "/playground/main.js"):
        assert answer_of(path, options=options).status == 404
    assert answer_of("/health", options=options).status == 200


def test_its_parts_are_not_logged(caplog):
    with caplog.at_level("INFO", "foretell.server"):
        answer_of("/playground/main.js")
        assert caplog.text == ""
        answer_of("/")
        assert "GET / 200" in caplog.text
        answer_of("/playground/nothing.js")
        assert "GET /playground/nothing.js 404" in caplog.text


def test_a_connection_is_kept_and_a_head_has_no_body():
    with served() as server, httpx.Client(trust_env=False) as client:
        url = server.url.removesuffix("/v1")
        ports = set()
        for path in ("/", "/playground/main.js", "/playground/main.js"):
            answer = client.get(url + path)
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr")[1])
            head = client.head(url + path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == answer.headers["content-length"]
            tag = {"if-none-match": answer.headers["etag"]}
            again = client.get(url + path, headers=tag)
            assert (again.status_code, again.content) == (304, b"")
        assert len(ports) == 1


def test_lists_may_come_in_several_lines():
    with served() as server, httpx.Client(trust_env=False) as client:
        url = server.url.removesuffix("/v1") + "/playground/main.js"
        accepted = [("accept-encoding", "br"), ("accept-encoding", "gzip")]
        answer = client.get(url, headers=accepted)
        assert answer.headers["content-encoding"] == "gzip"
        tags = [("if-none-match", '"other"'), ("if-none-match", answer.headers["etag"])]
        assert client.get(url, headers=accepted + tags).status_code == 304


def test_the_first_view_is_small():
    site = read_site()
    names = [re.sub(r"^playground/[0-9a-f]{16}/", "", one) for one in links_of(page_text())]
    sizes = {name: len(site.files[name].packed) for name in (*names, playground.INDEX)}
    assert sum(sizes.values()) <= FIRST_VIEW_BYTES, sorted(sizes.items(), key=lambda one: -one[1])


def page_text() -> str:
    return read_site().files[playground.INDEX].body.decode()


def test_the_version_is_that_of_all_files(monkeypatch):
    before = read_site().version
    monkeypatch.setattr(playground, "TYPES", {k: v for k, v in TYPES.items() if k != ".svg"})
    assert read_site.__wrapped__().version != before


# What the modules are made of


LATER = re.compile(r'\bimport\(\s*"([^"]+)"')


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_lead_to_files_that_are_shipped(path):
    code = path.read_text("utf-8")
    own = path.parent.relative_to(FOLDER).as_posix()
    later = [posixpath.normpath(f"{own}/{name}") for name in LATER.findall(without_comments(code))]
    for name in (*(name for _, name in imports_of(name_of(path), code)), *later):
        assert name in LIBRARIES or (FOLDER / name).is_file(), name


def test_libraries_are_shipped_with_their_licences():
    licences = (FOLDER / "vendor" / "LICENSES.txt").read_text("utf-8")
    for path in LIBRARIES.values():
        assert (FOLDER / path).is_file()
        assert Path(path).name in licences


def test_the_first_view_is_one_module_one_style_and_libraries():
    names = [re.sub(r"^playground/[0-9a-f]{16}/", "", one) for one in links_of(page_text())]
    assert {*names} == {"icon.svg", "style.css", "main.js", *LIBRARIES.values()}


def test_the_styles_are_those_of_all_parts_without_comments():
    site = read_site()
    parts = {name_of(path): path.read_text("utf-8") for path in OWN if path.suffix == ".css"}
    plain = {name: re.sub(r"/\*.*?\*/\n?", "", text, flags=re.S) for name, text in parts.items()}
    first, later = (site.files[name].body.decode() for name in ("style.css", "later.css"))
    for name, text in plain.items():
        is_later = name.startswith(("beams/", "compare/", "learn/", "views/"))
        assert (first.count(text), later.count(text)) == (not is_later, is_later), name
    assert first.startswith(plain["style/design.css"])
    assert len(first) + len(later) == sum(map(len, plain.values())) + len(plain) - 2


def test_comments_are_left_out_of_modules_and_nothing_else():
    """Those that have lines of their own, and stand in no template, and those behind code."""
    for path in MODULES:
        code = path.read_text("utf-8")
        kept = without_comments(code)
        assert code.count("\n") == kept.count("\n")
        block = re.compile(r"/\*\*.*?\*/", re.S)
        lines = re.compile(r"^\s*//.*$| // [^\"`\n]*$", re.M)
        assert "".join(lines.sub("", block.sub("", code)).split()) == "".join(
            lines.sub("", block.sub("", kept)).split()
        )
        assert len(kept) < len(code)
        templates = re.sub(r"/\*\*.*?\*/", "", code, flags=re.S)
        for found in re.finditer(r"^[ \t]*//", templates, flags=re.M):
            assert templates[: found.start()].count("`") % 2 == 0, path


FOREIGN = re.compile(r"""(?<![\w.])(?:https?:)?//[\w-]+\.[\w./-]*""")
NAMES_OF_FORMATS = ("http://www.w3.org/",)


@pytest.mark.parametrize("path", OWN, ids=name_of)
def test_nothing_refers_to_another_host(path):
    found = [one[0] for one in FOREIGN.finditer(path.read_text("utf-8"))]
    assert [one for one in found if not one.startswith(NAMES_OF_FORMATS)] == []


MARKUP = re.compile(
    r"innerHTML|outerHTML|dangerouslySetInnerHTML|insertAdjacentHTML|document\.write|DOMParser"
    r"|createContextualFragment|\beval\(|new Function|srcdoc|javascript:"
)


@pytest.mark.parametrize("path", OWN, ids=name_of)
def test_no_text_becomes_markup_or_code(path):
    assert MARKUP.findall(path.read_text("utf-8")) == []


def test_the_package_has_all_files(tmp_path, monkeypatch):
    """The same rules choose the files of a wheel."""
    build = pytest.importorskip("scikit_build_core.build")
    monkeypatch.chdir(ROOT)
    with tarfile.open(tmp_path / build.build_sdist(str(tmp_path))) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    folder = FOLDER.relative_to(ROOT).as_posix()
    assert {f"{folder}/{name_of(path)}" for path in FOLDER.rglob("*") if path.is_file()} <= packed
