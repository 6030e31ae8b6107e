"""Names, paths and everything that is neither."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.fake_hub import FakeHub

from foretell import hub
from foretell.errors import ConfigError, DownloadError, ModelFileError, ModelNotFoundError


def test_a_known_name_is_fetched_once(fake_hub: FakeHub) -> None:
    fake_hub.publish(b"a model")
    path = hub.resolve("Tiny")
    assert path.read_bytes() == b"a model"
    assert hub.resolve("tiny") == path
    assert fake_hub.calls() == ["tiny-part0==1.0"]


def test_a_path_is_itself(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.touch()
    assert hub.resolve(str(file)) == file
    assert hub.resolve(file) == file


def test_a_tilde_is_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.gguf").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert hub.resolve("~/model.gguf") == tmp_path / "model.gguf"


def test_a_path_object_is_never_a_name(fake_hub: FakeHub) -> None:
    fake_hub.publish(b"a model")
    with pytest.raises(ModelNotFoundError):
        hub.resolve(Path("tiny"))
    assert fake_hub.calls() == []


def test_a_folder_with_a_checkpoint_is_itself(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    assert hub.resolve(tmp_path) == tmp_path
    assert hub.resolve(str(tmp_path)) == tmp_path


def test_what_lies_here_wins_over_names_and_says_so(
    fake_hub: FakeHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake_hub.publish(b"a model")
    monkeypatch.chdir(tmp_path)
    for name in ("tiny", "gpt2", "runs/one"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        if name == "tiny":
            assert hub.resolve(name).read_bytes() == b"a model"  # nothing that is a model is here
        (folder / "config.json").touch()
    caplog.clear()
    assert hub.resolve("tiny") == Path("tiny")
    assert "'tiny' is a folder here, and a model's name too" in caplog.text
    assert hub.resolve("gpt2") == Path("gpt2")
    assert "'gpt2' is a folder here" in caplog.text
    caplog.clear()
    assert hub.resolve("./tiny") == Path("tiny")
    assert hub.resolve("runs/one") == Path("runs/one")
    assert caplog.text == ""
    (tmp_path / "shared-cache" / "models--runs--one").mkdir(parents=True)
    assert hub.resolve("runs/one") == Path("runs/one")
    assert "'runs/one' is a folder here" in caplog.text


@pytest.mark.parametrize("revision", ["", "../up", "/root", "a\nb", 7])
def test_a_revision_that_cannot_be_one_is_refused(revision: str, fake_hub: FakeHub) -> None:
    with pytest.raises(ConfigError, match=r"revision=.* must be a branch, a tag or a commit"):
        hub.resolve("org/tiny", revision=revision)


def test_a_revision_of_what_has_none_is_refused(fake_hub: FakeHub, tmp_path: Path) -> None:
    fake_hub.publish(b"a model")
    (tmp_path / "model.gguf").touch()
    for model in ("tiny", str(tmp_path / "model.gguf")):
        with pytest.raises(ConfigError, match="revision='main' has no effect on "):
            hub.resolve(model, revision="main")
    assert fake_hub.calls() == []


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("", "name is empty: known names"),
        ("smolm2-135m-instruct", "did you mean 'smollm2-135m-instruct'"),
        ("nowhere/to/be/found.gguf", "no model or file is called 'nowhere/to/be/found.gguf'"),
        ("openai-community/gpt2", "cannot be fetched, HF_HUB_OFFLINE is set"),
        (
            "https://hf.co/openai-community/gpt2",
            "is a page's address: give 'openai-community/gpt2'",
        ),
        ("models/gpt2.gguf", "no model or file is called .* or a Hugging Face id: org/name"),
        ("null\0byte", r"'null\\x00byte'"),
        ("x" * 5000, "File name too long"),
        ("~nobody-of-this-name/x.gguf", "cannot be opened|no model or file"),
    ],
    ids=[
        "empty",
        "misspelt",
        "no-file",
        "hugging-face",
        "address",
        "file-like",
        "null",
        "long",
        "no-home",
    ],
)
def test_what_is_not_there_is_explained(model: str, message: str) -> None:
    with pytest.raises(ModelNotFoundError, match=message) as caught:
        hub.resolve(model)
    assert "\n" not in str(caught.value)


def test_a_folder_is_refused_and_its_model_named(tmp_path: Path) -> None:
    with pytest.raises(
        ModelNotFoundError, match=r"without config\.json: give the path of a GGUF file, "
    ):
        hub.resolve(tmp_path)
    (tmp_path / "inside.gguf").touch()
    with pytest.raises(ModelNotFoundError, match=r"is a folder .*inside\.gguf"):
        hub.resolve(str(tmp_path))


def test_a_misspelt_file_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    with pytest.raises(ModelNotFoundError, match=r"did you mean '.*/model\.gguf'"):
        hub.resolve(tmp_path / "modle.gguf")


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes in folders")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(ModelNotFoundError, match="is not a regular file"):
        hub.resolve(tmp_path / "pipe.gguf")


def test_path_of_what_is_not_cached_says_how_to_get_it(fake_hub: FakeHub) -> None:
    fake_hub.publish(b"a model")
    with pytest.raises(ModelNotFoundError, match="`foretell models pull tiny`"):
        hub.path("tiny")
    assert fake_hub.calls() == []


def test_a_file_of_another_size_counts_as_missing(fake_hub: FakeHub) -> None:
    fake_hub.publish(b"a model")
    path = hub.pull("tiny")
    path.write_bytes(b"a mod")
    with pytest.raises(ModelNotFoundError, match="not cached"):
        hub.path("tiny")
    assert hub.pull("tiny").read_bytes() == b"a model"


def test_verify_finds_a_flipped_bit(fake_hub: FakeHub) -> None:
    fake_hub.publish(b"a model")
    path = hub.pull("tiny")
    assert hub.verify("tiny") == path
    path.write_bytes(b"a nodel")
    with pytest.raises(ModelFileError, match=r"is damaged.*models remove tiny"):
        hub.verify("tiny")


def test_remove_deletes_the_model_and_leftovers(fake_hub: FakeHub) -> None:
    fake_hub.publish(b"a model")
    path = hub.pull("tiny")
    leftover = fake_hub.home / "downloads" / "tiny" / "old.whl"
    leftover.parent.mkdir(parents=True, exist_ok=True)
    leftover.touch()
    assert hub.remove("tiny") == path
    assert fake_hub.files() == []
    with pytest.raises(ModelNotFoundError, match="nothing to remove"):
        hub.remove("tiny")


def test_remove_leaves_a_fetch_under_way_alone(fake_hub: FakeHub) -> None:
    from filelock import FileLock

    model = fake_hub.publish(b"a model")
    path = hub.pull("tiny")
    other = FileLock(hub.cache.lock_file(model))
    with other, pytest.raises(DownloadError, match="being fetched by another process"):
        hub.remove("tiny")
    assert path.exists()


def test_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORETELL_HOME", str(tmp_path))
    assert hub.cache_dir() == tmp_path
    monkeypatch.setenv("FORETELL_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert hub.cache_dir() == tmp_path / ".cache" / "foretell"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert hub.cache_dir() == tmp_path / ".cache" / "foretell"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert hub.cache_dir() == tmp_path / "xdg" / "foretell"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert hub.cache_dir() == tmp_path / "Library" / "Caches" / "foretell"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert hub.cache_dir() == tmp_path / "local" / "foretell"
