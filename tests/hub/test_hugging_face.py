"""Models of a Hugging Face hub: huggingface_hub's own code against a hub on loopback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.loopback_hub import CHECKPOINT, GGUFS, SHARDED, WEIGHTS, LoopbackHub

from foretell import hub
from foretell.errors import DownloadError, ModelNotFoundError, UnsupportedModelError

UNWANTED = {
    "README.md": b"a card",
    "pytorch_model.bin": b"a pickle",
    "tf_model.h5": b"-",
    "flax_model.msgpack": b"-",
    "vocab.json": b"{}",
    "merges.txt": b"",
    "onnx/model.onnx": b"-",
    "onnx/config.json": b"{}",
    "original/consolidated.safetensors": b"-",
}


def test_a_checkpoint_is_fetched_with_what_it_needs_and_nothing_else(
    loopback_hub: LoopbackHub,
) -> None:
    wanted = {
        **CHECKPOINT,
        "generation_config.json": b"{'a': 1}",
        "tokenizer_config.json": b"{'b': 2}",
        "special_tokens_map.json": b"{'c': 3}",
        "chat_template.jinja": b"{{ messages }}",
    }
    loopback_hub.publish("org/tiny", {**wanted, **UNWANTED})
    folder = hub.resolve("org/tiny")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == wanted
    assert sorted(loopback_hub.fetched()) == sorted(wanted)
    assert loopback_hub.fetched()[-1] == "model.safetensors"


def test_a_folder_that_is_no_model_is_told(
    loopback_hub: LoopbackHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "tiny").mkdir(parents=True)
    assert (hub.resolve("org/tiny") / "config.json").is_file()
    told = "the folder 'org/tiny' has no config.json: asking Hugging Face"
    assert told in caplog.text


def test_an_older_tokenizer_is_fetched_where_there_is_no_other(loopback_hub: LoopbackHub) -> None:
    files = {**CHECKPOINT, "vocab.json": b"{}", "merges.txt": b""}
    del files["tokenizer.json"]
    loopback_hub.publish("org/old", files)
    assert {file.name for file in hub.resolve("org/old").iterdir()} == set(files)


def test_shards_are_those_of_the_index(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/sharded", SHARDED)
    folder = hub.resolve("org/sharded")
    assert {file.name for file in folder.iterdir()} == set(SHARDED) - {"consolidated.safetensors"}
    assert loopback_hub.fetched().count("model.safetensors.index.json") == 1


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        ({"a": "model-9.safetensors"}, r"names 'model-9\.safetensors', which it does not have"),
        ({"a": "../../outside.safetensors"}, r"names '\.\./\.\./outside\.safetensors'"),
        ({}, "names no weights"),
        (7, "names no weights"),
    ],
    ids=["missing", "outside", "empty", "no-map"],
)
def test_an_index_that_points_nowhere_is_refused(
    weight_map: object, message: str, loopback_hub: LoopbackHub
) -> None:
    index = json.dumps({"weight_map": weight_map}).encode()
    loopback_hub.publish("org/sharded", {**SHARDED, "model.safetensors.index.json": index})
    with pytest.raises(DownloadError, match=message):
        hub.resolve("org/sharded")


def test_what_is_cached_needs_no_network(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    folder = hub.resolve("org/tiny")
    loopback_hub.requests.clear()
    assert hub.resolve("org/tiny") == folder
    assert loopback_hub.requests == []
    loopback_hub.stop()
    assert hub.resolve("org/tiny") == folder


def test_huggingface_hub_finds_what_was_fetched_and_foretell_what_it_fetched(
    loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import hf_hub_download, snapshot_download

    loopback_hub.publish("org/tiny", CHECKPOINT)
    folder = hub.resolve("org/tiny")
    found = snapshot_download("org/tiny", cache_dir=loopback_hub.cache, local_files_only=True)
    assert found == str(folder)
    shutil.rmtree(loopback_hub.cache)
    for name in CHECKPOINT:
        path = hf_hub_download(
            "org/tiny", name, cache_dir=loopback_hub.cache, endpoint=loopback_hub.url
        )
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.resolve("org/tiny") == Path(path).parent


def test_a_gguf_file_of_a_repository(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/quantized", {**GGUFS, "deep/inside.gguf": b"GGUF"})
    assert hub.resolve("org/quantized:m-Q4_K_M.gguf").read_bytes() == GGUFS["m-Q4_K_M.gguf"]
    assert hub.resolve("org/quantized:deep/inside.gguf").read_bytes() == b"GGUF"
    assert loopback_hub.fetched() == ["m-Q4_K_M.gguf", "inside.gguf"]


def test_a_repository_of_gguf_files_lists_them(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/quantized", GGUFS)
    message = (
        r"name one, such as 'org/quantized:m-Q4_K_M\.gguf'; there are 'm-Q4_K_M\.gguf', 'm-Q8_0"
    )
    with pytest.raises(ModelNotFoundError, match=message):
        hub.resolve("org/quantized")


@pytest.mark.parametrize(
    ("filename", "message"),
    [
        ("q4_k_m", r"has no file 'q4_k_m': did you mean 'org/quantized:m-Q4_K_M\.gguf'\?"),
        ("m-Q4_K_S.gguf", r"did you mean 'org/quantized:m-Q4_K_M\.gguf'"),
        ("xyzzy", r"there are 'm-Q4_K_M\.gguf', 'm-Q8_0\.gguf'"),
        ("README.md", "is no GGUF file"),
        ("../up.gguf", "names no file in a repository"),
    ],
)
def test_a_file_that_is_not_there(filename: str, message: str, loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/quantized", GGUFS)
    with pytest.raises(ModelNotFoundError, match=message):
        hub.resolve(f"org/quantized:{filename}")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"config.json": b"{}", "pytorch_model.bin": b"-"}, r"pickle \(pytorch_model\.bin\)"),
        ({"adapter_config.json": b"{}", "adapter_model.safetensors": b"-"}, "is an adapter"),
        ({"model.safetensors": b"-"}, "has weights, but no config.json"),
        ({"README.md": b"-"}, "holds no model"),
    ],
    ids=["pickle", "adapter", "no-config", "nothing"],
)
def test_what_cannot_be_run_is_refused_before_it_is_fetched(
    files: dict[str, bytes], message: str, loopback_hub: LoopbackHub
) -> None:
    loopback_hub.publish("org/strange", files)
    with pytest.raises(UnsupportedModelError, match=message):
        hub.resolve("org/strange")
    assert loopback_hub.fetched() == []


def test_a_revision_is_a_branch_a_tag_or_a_commit(loopback_hub: LoopbackHub) -> None:
    repository = loopback_hub.publish("org/tiny", CHECKPOINT)
    loopback_hub.publish("org/tiny", {**CHECKPOINT, "config.json": b"{ }"}, revision="refs/pr/1")
    main, other = hub.resolve("org/tiny"), hub.resolve("org/tiny", revision="refs/pr/1")
    assert (other / "config.json").read_bytes() == b"{ }"
    assert loopback_hub.fetched().count("model.safetensors") == 1  # the other commit's, linked
    assert main.name == repository.commit("main")
    loopback_hub.stop()
    assert hub.resolve("org/tiny", revision=main.name) == main
    assert hub.path("org/tiny", revision="refs/pr/1") == other


def test_pull_follows_the_hub_and_resolve_does_not(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    first = hub.pull("org/tiny")
    loopback_hub.publish("org/tiny", {**CHECKPOINT, "config.json": b"{ }"})
    assert hub.resolve("org/tiny") == first
    second = hub.pull("org/tiny")
    assert second != first
    assert hub.resolve("org/tiny") == second
    assert loopback_hub.fetched().count("model.safetensors") == 1


def test_pull_takes_what_is_cached_where_the_hub_is_silent(
    loopback_hub: LoopbackHub, caplog: pytest.LogCaptureFixture
) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    folder = hub.pull("org/tiny")
    loopback_hub.stop()
    assert hub.pull("org/tiny") == folder
    assert "does not answer" in caplog.text


def test_old_names_mean_their_ids(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("openai-community/gpt2", CHECKPOINT)
    assert hub.resolve("gpt2").parts[-3] == "models--openai-community--gpt2"


def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100)
    loopback_hub.publish("org/tiny", CHECKPOINT)
    loopback_hub.cut["model.safetensors"] = 1000
    assert (hub.resolve("org/tiny") / "model.safetensors").read_bytes() == WEIGHTS
    assert loopback_hub.ranges == ["bytes=1000-"]


def test_an_interrupted_fetch_keeps_whole_files(
    loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    loopback_hub.publish("org/sharded", SHARDED)
    download = huggingface_hub.hf_hub_download

    def interrupted(repo: str, name: str, **options: object) -> str:
        if name == "model-2.safetensors":
            raise KeyboardInterrupt
        return str(download(repo, name, **options))

    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "hf_hub_download", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hub.resolve("org/sharded")
    with pytest.raises(ModelNotFoundError, match="not cached"):
        hub.path("org/sharded")
    loopback_hub.requests.clear()
    hub.resolve("org/sharded")
    assert loopback_hub.fetched() == ["model-2.safetensors"]


def test_the_commit_before_stays_until_the_next_is_whole(loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    first = hub.resolve("org/tiny")
    loopback_hub.publish("org/tiny", {**CHECKPOINT, "model.safetensors": WEIGHTS[::-1]})
    loopback_hub.damaged.add("model.safetensors")
    with pytest.raises(DownloadError):
        hub.pull("org/tiny")
    assert hub.resolve("org/tiny") == first


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_damaged_on_the_way_is_not_kept(name: str, loopback_hub: LoopbackHub) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    loopback_hub.damaged.add(name)
    with pytest.raises(DownloadError, match=f"{name} was damaged on the way"):
        hub.resolve("org/tiny")
    assert not list(loopback_hub.cache.rglob(name))
    loopback_hub.damaged.clear()
    assert (hub.resolve("org/tiny") / name).read_bytes() == CHECKPOINT[name]


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"license": "mit"}, "org/tiny comes under the licence mit\n"),
        (
            {"license": "other", "license_name": "own", "license_link": "LICENSE.md"},
            "org/tiny comes under the licence own (LICENSE.md)\n",
        ),
        ({}, "org/tiny names no licence: see "),
    ],
    ids=["usual", "own", "none"],
)
def test_the_licence_is_told_once(
    card: dict[str, str],
    message: str,
    loopback_hub: LoopbackHub,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "foretell")
    loopback_hub.publish("org/tiny", CHECKPOINT, card=card)
    hub.pull("org/tiny")
    assert message in f"{caplog.messages[0]}\n"
    caplog.clear()
    hub.pull("org/tiny")
    assert caplog.text == ""


def test_bytes_are_counted_to_the_last(
    loopback_hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import nullcontext

    from foretell.hub import remote

    seen: list[int] = []
    total: list[int] = []

    def bar(name: str, size: int, there: int) -> nullcontext[object]:
        total.append(size)
        return nullcontext(lambda done, doing: seen.append(done))

    monkeypatch.setattr(remote, "download_bar", bar)
    loopback_hub.publish("org/tiny", CHECKPOINT)
    hub.resolve("org/tiny")
    assert total == [sum(map(len, CHECKPOINT.values()))]
    assert seen == sorted(seen)
    assert seen[-1] == total[0]
    assert len(set(seen)) >= len(CHECKPOINT)
