"""A cached model that was damaged where it lies, at the same size, is noticed and fetched again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.fake_hub import FakeHub
from support.loopback_hub import CHECKPOINT, LoopbackHub

from foretell import hub
from foretell.errors import DownloadError, ModelFileError, ModelNotFoundError
from foretell.hub import cache

WHOLE, DAMAGED = b"a model", b"a mudel"


def damage(path: Path, *, later: bool = True) -> None:
    """Other bytes at the same size, written at another time or so that it does not show."""
    before = path.stat()
    path.write_bytes(DAMAGED)
    shown = before.st_mtime_ns + later * 1_000_000_000
    os.utime(path, ns=(shown, shown))


def test_loading_reads_a_file_that_was_written_to(
    fake_hub: FakeHub, caplog: pytest.LogCaptureFixture
) -> None:
    fake_hub.publish(WHOLE)
    path = hub.resolve("tiny")
    damage(path)
    assert hub.resolve("tiny").read_bytes() == WHOLE
    assert "tiny in the cache is damaged: fetching it again" in caplog.text


def test_pull_reads_the_file_always(fake_hub: FakeHub) -> None:
    fake_hub.publish(WHOLE)
    path = hub.pull("tiny")
    damage(path, later=False)
    assert hub.resolve("tiny").read_bytes() == DAMAGED  # nothing shows
    assert hub.pull("tiny").read_bytes() == WHOLE
    assert len(fake_hub.calls()) == 2


def test_a_file_that_is_whole_is_read_once(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    sha256 = cache.file_sha256
    monkeypatch.setattr(cache, "file_sha256", lambda path: read.append(path) or sha256(path))
    fake_hub.publish(WHOLE)
    path = hub.resolve("tiny")
    hub.resolve("tiny")
    assert read == []  # its hash was taken as it came
    os.utime(path, (1, 1))
    hub.resolve("tiny")
    hub.resolve("tiny")
    assert read == [path]
    hub.pull("tiny")
    assert read == [path, path]
    assert len(fake_hub.calls()) == 1


@pytest.mark.parametrize("note", [b"", b"[", b"[]", b"\xff", b'{"sha256": 1}'])
def test_a_note_that_says_nothing_is_written_anew(fake_hub: FakeHub, note: bytes) -> None:
    model = fake_hub.publish(WHOLE)
    path = hub.resolve("tiny")
    cache.record_file(model).write_bytes(note)
    assert hub.resolve("tiny") == path
    assert cache.record_file(model).read_bytes() != note
    assert len(fake_hub.calls()) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_note_that_is_no_file_is_passed_over(fake_hub: FakeHub) -> None:
    model = fake_hub.publish(WHOLE)
    path = hub.resolve("tiny")
    cache.record_file(model).unlink()
    os.mkfifo(cache.record_file(model))  # reading it would wait for ever
    assert hub.resolve("tiny") == path


def test_a_model_of_an_older_cache_is_taken(fake_hub: FakeHub) -> None:
    model = fake_hub.publish(WHOLE)
    path = hub.resolve("tiny")
    cache.record_file(model).unlink()
    assert hub.resolve("tiny") == path
    assert len(fake_hub.calls()) == 1


def test_where_it_cannot_be_fetched_it_does_not_run(
    fake_hub: FakeHub, caplog: pytest.LogCaptureFixture
) -> None:
    fake_hub.publish(WHOLE)
    damage(hub.resolve("tiny"))
    fake_hub.pip("fail")
    with pytest.raises(DownloadError):
        hub.resolve("tiny")
    assert "tiny in the cache is damaged" in caplog.text


def test_remove_forgets_what_was_noted(fake_hub: FakeHub) -> None:
    model = fake_hub.publish(WHOLE)
    hub.resolve("tiny")
    assert cache.record_file(model).exists()
    hub.remove("tiny")
    assert not cache.record_file(model).exists()


def flip(file: Path) -> bytes:
    content = file.read_bytes()
    file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    return content


def test_pull_reads_what_came_from_the_hub(
    loopback_hub: LoopbackHub, caplog: pytest.LogCaptureFixture
) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    weights = hub.pull("org/tiny") / "model.safetensors"
    content = flip(weights)
    assert hub.pull("org/tiny") / "model.safetensors" == weights
    assert weights.read_bytes() == content
    assert "model.safetensors is damaged: fetching it again" in caplog.text
    assert hub.verify("org/tiny") == weights.parent


def test_pull_without_a_network_says_what_is_damaged(
    loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    weights = hub.pull("org/tiny") / "model.safetensors"
    flip(weights)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelFileError, match=r"model\.safetensors is damaged, and cannot be fetch"):
        hub.pull("org/tiny")
    assert weights.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer_config.json"])
def test_a_link_to_a_file_that_is_gone_is_fetched_again(
    loopback_hub: LoopbackHub, name: str
) -> None:
    loopback_hub.publish("org/tiny", {"tokenizer_config.json": b"{ }", **CHECKPOINT})
    file = hub.pull("org/tiny") / name
    content = file.read_bytes()
    file.resolve().unlink()
    with pytest.raises(ModelNotFoundError, match="org/tiny is not cached"):
        hub.verify("org/tiny")
    assert hub.resolve("org/tiny") == file.parent
    assert file.read_bytes() == content


def test_a_link_to_a_file_that_is_gone_matters_only_if_it_is_needed(
    loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    folder = hub.pull("org/tiny")
    (folder / "README.md").symlink_to("nowhere")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.resolve("org/tiny") == folder
