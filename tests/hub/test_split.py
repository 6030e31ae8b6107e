"""Split GGUF models of a hub: fetched, listed, verified and removed as one, by any part's name."""

from __future__ import annotations

import logging

import pytest
from support.loopback_hub import LoopbackHub

from foretell import hub
from foretell.errors import DownloadError, ModelFileError, ModelNotFoundError

PARTS = {f"deep/m-0000{i}-of-00003.gguf": b"part %d" % i * 300 * i for i in (1, 2, 3)}
NAMES = list(PARTS)
WHOLE = {"whole.gguf": b"GGUF" * 500}
SIZE = sum(map(len, PARTS.values()))


@pytest.mark.parametrize("named", NAMES)
def test_any_part_fetches_all(
    loopback_hub: LoopbackHub, caplog: pytest.LogCaptureFixture, named: str
) -> None:
    caplog.set_level(logging.INFO, logger="foretell")
    loopback_hub.publish("org/split", PARTS | WHOLE)
    first = hub.resolve(f"org/split:{named}")
    assert first.name == "m-00001-of-00003.gguf"
    assert {f"deep/{file.name}": file.read_bytes() for file in first.parent.iterdir()} == PARTS
    assert sorted(loopback_hub.fetched()) == [name.removeprefix("deep/") for name in NAMES]
    assert f"fetching org/split:{NAMES[0]} ({SIZE / 1e6:.1f} MB)" in caplog.text
    assert f"org/split:{NAMES[0]} is ready ({SIZE / 1e6:.1f} MB fetched)" in caplog.text
    num_requests = len(loopback_hub.requests)
    assert {hub.resolve(f"org/split:{name}") for name in NAMES} == {first}
    assert len(loopback_hub.requests) == num_requests


def test_what_an_interrupted_fetch_left_is_completed(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/split", PARTS)
    first = hub.resolve(f"org/split:{NAMES[0]}")
    first.with_name("m-00002-of-00003.gguf").unlink()
    assert hub.cached_models() == []
    with pytest.raises(ModelNotFoundError, match="is not cached"):
        hub.path(f"org/split:{NAMES[0]}")
    assert hub.resolve(f"org/split:{NAMES[2]}") == first
    assert (first.parent / "m-00002-of-00003.gguf").read_bytes() == PARTS[NAMES[1]]


def test_it_is_listed_once_with_the_size_of_all(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/split", PARTS | WHOLE)
    first, whole = hub.resolve(f"org/split:{NAMES[1]}"), hub.resolve("org/split:whole.gguf")
    commit = whole.parent.name
    assert hub.cached_models() == [
        hub.CachedModel(f"org/split:{NAMES[0]}", "GGUF", "main", commit, SIZE, first),
        hub.CachedModel("org/split:whole.gguf", "GGUF", "main", commit, 2000, whole),
    ]


def test_a_damaged_part_is_found_and_fetched_again(
    loopback_hub: LoopbackHub, caplog: pytest.LogCaptureFixture
) -> None:
    loopback_hub.publish("org/split", PARTS)
    first = hub.resolve(f"org/split:{NAMES[0]}")
    last = first.with_name("m-00003-of-00003.gguf")
    assert hub.verify(f"org/split:{NAMES[1]}") == first
    last.write_bytes(last.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelFileError, match=r"m-00003-of-00003\.gguf is damaged"):
        hub.verify(f"org/split:{NAMES[0]}")
    assert hub.pull(f"org/split:{NAMES[0]}") == first
    assert "m-00003-of-00003.gguf is damaged: fetching it again" in caplog.text
    assert last.read_bytes() == PARTS[NAMES[2]]


def test_all_parts_are_removed(loopback_hub: LoopbackHub) -> None:
    from huggingface_hub import HFCacheInfo

    if not hasattr(HFCacheInfo, "delete_files"):
        pytest.skip("this huggingface_hub deletes whole revisions only")
    loopback_hub.publish("org/split", PARTS | WHOLE)
    whole = hub.resolve("org/split:whole.gguf")
    first = hub.resolve(f"org/split:{NAMES[0]}")
    blobs = [file.resolve() for file in first.parent.iterdir()]
    assert hub.remove(f"org/split:{NAMES[2]}") == first
    assert not any(blob.exists() for blob in blobs)
    assert whole.read_bytes() == WHOLE["whole.gguf"]
    with pytest.raises(ModelNotFoundError, match="nothing to remove"):
        hub.remove(f"org/split:{NAMES[0]}")


def test_a_repository_that_lacks_a_part(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/split", {name: PARTS[name] for name in (NAMES[0], NAMES[2])})
    with pytest.raises(DownloadError, match=r"lacks 'deep/m-00002-of-00003\.gguf', one of 3 parts"):
        hub.resolve(f"org/split:{NAMES[2]}")
    assert loopback_hub.fetched() == []


def test_messages_name_a_split_model_once(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/split", PARTS | WHOLE)
    listed = r"there are 'deep/m-00001-of-00003\.gguf', 'whole\.gguf'$"
    with pytest.raises(ModelNotFoundError, match=listed):
        hub.resolve("org/split")
    meant = r"did you mean 'org/split:deep/m-00001-of-00003\.gguf'\?$"
    with pytest.raises(ModelNotFoundError, match=meant):
        hub.resolve("org/split:m-00001-of-00003.gguf")
