"""What a hub, the way to it or the disk refuses, as sentences; nothing of it reaches a user raw."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple

import pytest
from support.loopback_hub import CHECKPOINT, LoopbackHub

from foretell import hub
from foretell.errors import DownloadError, ModelNotFoundError
from foretell.hub.refusals import UnreachableError


def test_no_such_repository(loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no model 'org/none' at .*needs HF_TOKEN"):
        hub.resolve("org/none")
    loopback_hub.token = "mine"
    monkeypatch.setenv("HF_TOKEN", "mine")
    with pytest.raises(ModelNotFoundError, match=r"no model 'org/none' .*may not read it"):
        hub.resolve("org/none")


def test_no_such_revision(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    with pytest.raises(ModelNotFoundError, match="org/tiny has no revision 'v9'"):
        hub.resolve("org/tiny", revision="v9")


def test_gated_models_say_how_to_get_access(
    loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback_hub.publish("org/gated", CHECKPOINT, gated=True)
    with pytest.raises(DownloadError, match=r"ask for access at .*/org/gated, make a token"):
        hub.resolve("org/gated")
    monkeypatch.setenv("HF_TOKEN", "mine")
    with pytest.raises(DownloadError, match="does not accept the token"):
        hub.resolve("org/gated")
    loopback_hub.token = "mine"
    assert (hub.resolve("org/gated") / "model.safetensors").read_bytes() == CHECKPOINT[
        "model.safetensors"
    ]


def test_private_models_need_the_token(
    loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback_hub.publish("org/secret", CHECKPOINT, private=True)
    with pytest.raises(ModelNotFoundError, match="if it is private, it needs HF_TOKEN"):
        hub.resolve("org/secret")
    loopback_hub.token = "mine"
    monkeypatch.setenv("HF_TOKEN", "mine")
    assert (hub.resolve("org/secret") / "model.safetensors").exists()


def test_offline_says_what_is_missing_and_asks_nobody(
    loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for fetch in (hub.resolve, hub.pull):
        with pytest.raises(ModelNotFoundError, match=r"HF_HUB_OFFLINE is set.* it is not there"):
            fetch("org/tiny")
    assert loopback_hub.requests == []
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    folder = hub.resolve("org/tiny")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.pull("org/tiny") == folder
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match=r"model\.safetensors is missing"):
        hub.resolve("org/tiny")


def test_no_network(loopback_hub: LoopbackHub) -> None:
    loopback_hub.stop()
    with pytest.raises(UnreachableError, match=r"does not answer \(.+\): check the network"):
        hub.resolve("org/tiny")


@pytest.mark.parametrize(
    ("status", "message"),
    [(500, r"in trouble \(HTTP 500\)"), (429, "too many requests"), (418, r"refuses \(HTTP 418\)")],
)
def test_a_hub_in_trouble(status: int, message: str, loopback_hub: LoopbackHub) -> None:
    loopback_hub.status = status
    with pytest.raises(DownloadError, match=message):
        hub.resolve("org/tiny")


def test_something_that_is_no_hub(loopback_hub: LoopbackHub) -> None:
    loopback_hub.status = 200
    with pytest.raises(DownloadError, match=r"does not answer as a hub does .*HF_ENDPOINT"):
        hub.resolve("org/tiny")


def test_an_id_that_cannot_be_one(loopback_hub: LoopbackHub) -> None:
    with pytest.raises(ModelNotFoundError, match="'org/a--b' cannot be a model's id"):
        hub.resolve("org/a--b")


def test_a_disk_without_room_is_told_before_the_fetch(
    loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    Usage = namedtuple("Usage", "total used free")
    loopback_hub.publish("org/tiny", CHECKPOINT)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9e9, 9e9, 100))
    with pytest.raises(DownloadError, match=r"not enough disk space for org/tiny .*set HF_HOME"):
        hub.resolve("org/tiny")
    assert loopback_hub.fetched() == []


def test_a_cache_that_cannot_be_written(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    loopback_hub.cache.write_bytes(b"a file")
    with pytest.raises(DownloadError, match="set HF_HOME to a folder that you can write"):
        hub.resolve("org/tiny")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left"), "the disk is full under .* set HF_HOME"),
        (PermissionError(errno.EACCES, "Denied", "/blobs"), "cannot be written at /blobs"),
        (OSError("Consistency check failed: 7 bytes"), "did not arrive whole .*7 bytes"),
        (RuntimeError("no such luck"), r"cannot be fetched \(no such luck\): .*HF_HUB_DISABLE_XET"),
    ],
    ids=["full", "denied", "short", "xet"],
)
def test_a_fetch_that_fails_midway(
    error: Exception, message: str, loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def fail(*_: object, **__: object) -> None:
        raise error

    loopback_hub.publish("org/tiny", CHECKPOINT)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(DownloadError, match=message) as caught:
        hub.resolve("org/tiny")
    assert "\n" not in str(caught.value)
