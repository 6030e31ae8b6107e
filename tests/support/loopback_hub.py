"""A small Hugging Face hub on loopback: what huggingface_hub asks one, and how one says no."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

LARGE = 1024
"""Files of at least this number of bytes are kept as Git LFS keeps them: named by their sha256."""

WEIGHTS = b"weights" * 1000
CHECKPOINT = {
    "config.json": b'{"architectures": ["GPT2LMHeadModel"]}',
    "tokenizer.json": b"{}",
    "model.safetensors": WEIGHTS,
}
SHARDED = {
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "model.safetensors.index.json": json.dumps(
        {
            "weight_map": {
                "a": "model-1.safetensors",
                "b": "model-2.safetensors",
                "c": "model-1.safetensors",
            }
        }
    ).encode(),
    "model-1.safetensors": b"1" * 2000,
    "model-2.safetensors": b"2" * 2000,
    "consolidated.safetensors": b"12" * 2000,
}
GGUFS = {"m-Q4_K_M.gguf": b"GGUF" * 500, "m-Q8_0.gguf": b"GGUF" * 900, "README.md": b""}


@dataclass
class Repository:
    """A repository: the files of each revision, and who may read them."""

    revisions: dict[str, dict[str, bytes]]
    card: dict[str, Any] = field(default_factory=dict)
    gated: bool = False
    private: bool = False

    def commit(self, revision: str) -> str | None:
        """The commit of a revision: a hash of its files; None if there is no such revision."""
        if revision in self.revisions:
            return _commit_of(self.revisions[revision])
        known = {_commit_of(files) for files in self.revisions.values()}
        return revision if revision in known else None

    def files(self, commit: str) -> dict[str, bytes]:
        """The files of a commit."""
        return next(it for it in self.revisions.values() if _commit_of(it) == commit)


def _commit_of(files: dict[str, bytes]) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name])
    return digest.hexdigest()


def content_digest(content: bytes) -> str:
    """What the hub knows a file's content by."""
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest()
    blob = b"blob %d\0" % len(content) + content
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest()


class LoopbackHub:
    """The hub, and the environment in which it is the only one."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from huggingface_hub import constants

        self.repositories: dict[str, Repository] = {}
        self.token: str | None = None
        """The one token that may read what is gated or private."""
        self.requests: list[str] = []
        """`GET /org/name/resolve/...`, in order."""
        self.cut: dict[str, int] = {}
        """By file, after how many bytes its next body ends, and the connection with it."""
        self.ranges: list[str] = []
        """The ranges of bytes that were asked for, in order."""
        self.damaged: set[str] = set()
        """Files that arrive with other bytes than were published."""
        self.status: int | None = None
        """What every request is answered with, if anything."""
        self.cache = folder / "shared-cache"
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self})
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.environment = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(folder / "hf-home"),
            "HF_HUB_CACHE": str(self.cache),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
        }
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "TRANSFORMERS_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        # What huggingface_hub read of the environment when it was imported.
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))

    def publish(self, repo: str, files: dict[str, bytes], **about: Any) -> Repository:
        """Put a repository, or another `revision` of one, on the hub."""
        revision = about.pop("revision", "main")
        repository = self.repositories.setdefault(repo, Repository({}))
        repository.revisions[revision] = files
        for name, value in about.items():
            setattr(repository, name, value)
        return repository

    def fetched(self) -> list[str]:
        """The files whose contents were asked for so far, in order."""
        bodies = (line for line in self.requests if re.match("GET /(org|cdn)/", line))
        return [line.rsplit("/", 1)[1] for line in bodies]

    def stop(self) -> None:
        """Answer nothing any more; the port refuses connections."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def close(self) -> None:
        """Let go of the sockets at both ends."""
        from huggingface_hub import close_session

        self.stop()
        close_session()


@contextlib.contextmanager
def loopback_hub_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A hub that serves while the block runs."""
    hub = LoopbackHub(folder, monkeypatch)
    try:
        yield hub
    finally:
        hub.close()


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub

    def do_GET(self) -> None:
        self.hub.requests.append(f"GET {self.path}")
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self.hub.requests.append(f"HEAD {self.path}")
        self._answer(with_body=False)

    def log_message(self, *_: Any) -> None:
        return

    def _answer(self, *, with_body: bool) -> None:
        self._with_body = with_body
        if self.hub.status is not None:
            self._send(self.hub.status, b"in trouble")
            return
        path = unquote(urlsplit(self.path).path)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path):
            self._describe(*match.groups())
        elif match := re.fullmatch(r"/cdn/([^/]+/[^/]+)/([^/]+)/(.+)", path):
            self._send_content(*match.groups())
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._serve_file(*match.groups())
        else:
            self._refuse(404, "RepoNotFound")

    def _describe(self, repo: str, revision: str) -> None:
        found = self._open(repo, revision)
        if found is None:
            return
        repository, commit = found
        siblings = [_sibling(*file) for file in repository.files(commit).items()]
        about = {"id": repo, "sha": commit, "siblings": siblings, "cardData": repository.card}
        about |= {"gated": "manual" if repository.gated else False, "tags": []}
        self._send(200, json.dumps(about).encode())

    def _serve_file(self, repo: str, revision: str, name: str) -> None:
        found = self._open(repo, revision)
        if found is None:
            return
        repository, commit = found
        if repository.gated and not self._may_read():
            self._refuse(403 if self._token() else 401, "GatedRepo")
            return
        content = repository.files(commit).get(name)
        if content is None:
            self._refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
            return
        if len(content) < LARGE:
            self._send_content(repo, commit, name)
            return
        headers = {"X-Repo-Commit": commit, "X-Linked-ETag": f'"{content_digest(content)}"'}
        headers |= {"X-Linked-Size": str(len(content))}
        headers |= {"Location": f"{self.hub.url}/cdn/{repo}/{commit}/{name}"}
        self._send(302, b"", headers)

    def _send_content(self, repo: str, commit: str, name: str) -> None:
        content = self.hub.repositories[repo].files(commit)[name]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{content_digest(content)}"'}
        if name in self.hub.damaged:
            content = bytes(len(content))
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked is None:
            self._send(
                200, content, headers, cut=self.hub.cut.pop(name, None) if self._with_body else None
            )
            return
        self.hub.ranges.append(asked[0])
        start = int(asked[1])
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206, content[start:], headers)

    def _open(self, repo: str, revision: str) -> tuple[Repository, str] | None:
        """The repository and the commit of a revision; None where the answer was no."""
        if self._token() and self._token() != self.hub.token:
            message = "Invalid credentials in Authorization header"
            self._send(401, b"", {"X-Error-Message": message})
            return None
        repository = self.hub.repositories.get(repo)
        if repository is None or (repository.private and not self._may_read()):
            self._refuse(404 if self._token() else 401, "RepoNotFound")
            return None
        commit = repository.commit(revision)
        if commit is None:
            self._refuse(404, "RevisionNotFound")
            return None
        return repository, commit

    def _token(self) -> str | None:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") or None

    def _may_read(self) -> bool:
        return self._token() is not None and self._token() == self.hub.token

    def _refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self._send(status, b"", {"X-Error-Code": code, **(headers or {})})

    def _send(
        self,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self._with_body:
            self.wfile.write(content[:cut])


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    digest, size = content_digest(content), len(content)
    sibling: dict[str, Any] = {"rfilename": name, "size": size, "blobId": digest[:40]}
    if size >= LARGE:
        sibling["lfs"] = {"size": size, "sha256": digest, "pointerSize": 130}
    return sibling
