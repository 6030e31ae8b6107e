"""Files that are not what was written, or of another model: told, and nothing of them is used."""

from __future__ import annotations

import os
import resource
import struct

import numpy as np
import pytest
from support.adapters import Adapter
from support.kept import open_kind, some_tokens, write_kind
from support.kernel_bench import bits
from support.llama_files import make_model
from support.logits_after import logits_after
from support.toy import VOCAB_SIZE, engine_of, toy_llm

from foretell.errors import ConfigError, ModelFileError, PrefixFileError, RequestError
from foretell.llm import LLM
from foretell.prefixes import keeping
from foretell.prefixes.header import PAGE

PREFIX = some_tokens(100)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_kind(tmp_path_factory.mktemp("models"), "llama")


@pytest.fixture(scope="module")
def llm(path):
    with open_kind(path) as llm:
        yield llm


@pytest.fixture(scope="module")
def saved(llm, tmp_path_factory):
    """The bytes of a right file."""
    file = tmp_path_factory.mktemp("saved") / "a.prefix"
    llm.save_prefix(file, PREFIX)
    return file.read_bytes()


@pytest.fixture
def fresh(path):
    """A model that has computed nothing."""
    with open_kind(path) as llm:
        yield llm


def put(folder, data):
    file = folder / "b.prefix"
    file.write_bytes(data)
    return file


def assert_unused(llm):
    """Nothing was put in the cache, and nothing is held."""
    pool = engine_of(llm).pool
    assert (pool.num_kept, pool.num_free) == (0, pool.num_blocks)


@pytest.mark.parametrize(("blocks", "size"), [(2**32 - 1, 16), (1, 2**25), (0, 16), (3, 0)])
def test_a_head_as_long_as_a_sparse_file_is_not_read(blocks, size, fresh, saved, tmp_path):
    """Such a file takes no room on the disk, and would take all of the memory."""
    data = bytearray(saved[:4096])
    struct.pack_into("<II", data, 24, blocks, size)
    file = put(tmp_path, data)
    os.truncate(file, 2**40)
    with pytest.raises(PrefixFileError, match="damaged: its head has impossible sizes"):
        fresh.load_prefix(file)
    assert_unused(fresh)


def test_every_bit_counts(fresh, saved, tmp_path):
    rng = np.random.default_rng(1)
    head = [*range(0, 200, 3), *rng.integers(200, PAGE, 60)]
    for place in [*head, *rng.integers(PAGE, len(saved), 60), len(saved) - 1]:
        changed = bytearray(saved)
        changed[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(PrefixFileError, match=r"b\.prefix") as told:
            fresh.load_prefix(put(tmp_path, changed))
        assert "\n" not in str(told.value)
        assert_unused(fresh)
    assert fresh.load_prefix(put(tmp_path, saved)).num_cached == 96


def test_a_block_that_is_another_is_found(fresh, saved, tmp_path):
    size = (len(saved) - PAGE) // 6
    changed = saved[:PAGE] + saved[PAGE + size : PAGE + 2 * size] * 2 + saved[PAGE + 2 * size :]
    with pytest.raises(PrefixFileError, match="damaged: the hash of block 1 of 6 is wrong"):
        fresh.load_prefix(put(tmp_path, changed))
    assert_unused(fresh)


def test_nothing_stays_of_blocks_before_a_damaged_one(fresh, saved, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "CHUNK_BYTES", 1)  # a block at a time
    changed = saved[:-1] + bytes([saved[-1] ^ 1])
    with pytest.raises(PrefixFileError, match="damaged: the hash of block 6 of 6 is wrong"):
        fresh.load_prefix(put(tmp_path, changed))
    assert_unused(fresh)


def test_any_length_but_its_own_is_refused(fresh, saved, tmp_path):
    for length in (0, 1, 15, 63, 64, 70, 400, PAGE - 1, PAGE, PAGE + 1, len(saved) - 1):
        with pytest.raises(PrefixFileError):
            fresh.load_prefix(put(tmp_path, saved[:length]))
    with pytest.raises(PrefixFileError, match=f"{len(saved) + 1} bytes and must have {len(saved)}"):
        fresh.load_prefix(put(tmp_path, saved + b"\0"))
    assert_unused(fresh)


@pytest.mark.parametrize("sizes", [(0, 1, 16), (9, 0, 16), (9, 2**32 - 1, 2**32 - 1), (9, 1, 0)])
def test_sizes_that_a_file_cannot_have(fresh, tmp_path, sizes):
    start = struct.pack("<16sIIII", b"foretell prefix\0", 1, *sizes)
    with pytest.raises(PrefixFileError, match="damaged"):
        fresh.load_prefix(put(tmp_path, start.ljust(9000, b"\0")))


def test_another_format_is_told(fresh, saved, tmp_path):
    with pytest.raises(PrefixFileError, match="has format 2, this version of foretell reads form"):
        fresh.load_prefix(put(tmp_path, saved[:16] + b"\2" + saved[17:]))


@pytest.mark.parametrize("make", ["missing", "folder", "pipe", "text", "model"])
def test_what_is_no_such_file(fresh, path, tmp_path, make):
    place = tmp_path / "no such"
    if make == "folder":
        place.mkdir()
    elif make == "pipe":
        os.mkfifo(place)
    elif make == "text":
        place.write_text("hello " * 100)
    elif make == "model":
        place = path
    with pytest.raises(PrefixFileError):
        fresh.load_prefix(place)
    with pytest.raises(ConfigError, match="path="):
        fresh.load_prefix(3)


def test_another_model_or_way_of_opening_it(path, saved, tmp_path, monkeypatch):
    place = put(tmp_path, saved)
    other = write_kind(tmp_path, "other")
    with pytest.raises(PrefixFileError, match="was made with a model of sha256 '"):
        open_kind(other, prefixes=place)
    for options, told in [
        ({"kv_dtype": "q8"}, "kv_dtype 'float16', here it is 'q8'"),
        ({"kv_dtype": "bfloat16"}, "kv_dtype 'float16', here it is 'bfloat16'"),
        ({"activations": "float32"}, "activations 'int8', here it is 'float32'"),
    ]:
        with pytest.raises(PrefixFileError, match=told):
            open_kind(path, prefixes=[place], **options)
    adapter = Adapter().save(tmp_path / "adapter", make_model(vocab_size=VOCAB_SIZE))
    with pytest.raises(PrefixFileError, match="was made with adapters"):
        open_kind(path, adapters=adapter, prefixes=place)
    monkeypatch.setattr(keeping, "__version__", "9.9")
    with pytest.raises(
        PrefixFileError, match=r"version '0\.1\.0', here it is '9\.9': save it anew"
    ):
        open_kind(path, prefixes=place)


def test_a_model_quantized_in_another_way(tmp_path):
    path = write_kind(tmp_path, "floats")
    with open_kind(path, quantize="q8") as llm:
        llm.save_prefix(tmp_path / "a.prefix", PREFIX)
    for options, told in (({"quantize": "q4"}, "'q4'"), ({}, "None")):
        with pytest.raises(PrefixFileError, match=f"quantize 'q8', here it is {told}"):
            open_kind(path, prefixes=tmp_path / "a.prefix", **options)


def test_another_file_than_the_one_that_is_wanted(fresh, saved, llm, tmp_path):
    kept = llm.save_prefix(tmp_path / "a.prefix", PREFIX)
    other = llm.save_prefix(tmp_path / "c.prefix", PREFIX[1:])
    assert fresh.load_prefix(tmp_path / "a.prefix", sha256=kept.sha256).sha256 == kept.sha256
    with pytest.raises(PrefixFileError, match=f"has sha256 {other.sha256}: must be '{kept.sha256}"):
        fresh.load_prefix(tmp_path / "c.prefix", sha256=kept.sha256)


def test_an_adapter_of_another_weight(path, tmp_path):
    adapter = Adapter().save(tmp_path / "adapter", make_model(vocab_size=VOCAB_SIZE))
    with open_kind(path, adapters={adapter: 0.5}) as llm:
        llm.save_prefix(tmp_path / "a.prefix", PREFIX)
    with pytest.raises(PrefixFileError, match="adapters"):
        open_kind(path, adapters={adapter: 0.25}, prefixes=tmp_path / "a.prefix")


def test_a_model_whose_file_is_another_by_now(path, tmp_path):
    moved = tmp_path / "model.gguf"
    moved.write_bytes(path.read_bytes())
    with open_kind(moved) as llm:
        os.replace(write_kind(tmp_path, "other"), moved)
        with pytest.raises(ModelFileError, match=r"model\.gguf was changed, moved or removed"):
            llm.save_prefix(tmp_path / "a.prefix", PREFIX)
        assert llm.generate(PREFIX, max_new_tokens=1).text is not None
    assert not (tmp_path / "a.prefix").exists()


def test_too_little_room_and_too_little_text(path, llm, saved, tmp_path):
    place = put(tmp_path, saved)
    with pytest.raises(RequestError, match="num_blocks=5 must be at least 6"):
        open_kind(path, num_blocks=5, prefixes=place)
    with pytest.raises(RequestError, match="96 tokens, but the context has 90"):
        open_kind(path, context_length=90, prefixes=place)
    with pytest.raises(RequestError, match="the prompt has 15 tokens: must have at least 16"):
        llm.save_prefix(tmp_path / "c.prefix", PREFIX[:15])
    with pytest.raises(RequestError, match=r"'a text' was given as the file's path"):
        llm.save_prefix("a text", [1, 2, 3])
    with pytest.raises(RequestError, match="no tokens"):
        llm.save_prefix(tmp_path / "c.prefix", [])
    with pytest.raises(RequestError, match="context"):
        llm.save_prefix(tmp_path / "c.prefix", PREFIX * 10)
    assert not (tmp_path / "c.prefix").exists()


def test_a_missing_folder_is_told_before_the_prompt_is_computed(llm, tmp_path):
    before = llm.stats()
    with pytest.raises(PrefixFileError, match=r"cannot be written: .*its folder is missing"):
        llm.save_prefix(tmp_path / "none" / "c.prefix", PREFIX)
    assert llm.stats().steps == before.steps


def test_what_keeps_no_blocks(path, saved, tmp_path):
    place = put(tmp_path, saved)
    with open_kind(path, prefix_caching=False) as llm:
        for act in (lambda: llm.load_prefix(place), lambda: llm.save_prefix(place, PREFIX)):
            with pytest.raises(ConfigError, match="prefix_caching=False"):
                act()
    with toy_llm() as llm, pytest.raises(ConfigError, match="'scripted' keeps no KV blocks in"):
        llm.load_prefix(place)
    assert place.read_bytes() == saved


def test_transformers_is_refused_by_name(tmp_path):
    from support.toy_chat import chatting_tokenizer

    model = make_model(vocab_size=VOCAB_SIZE)
    llm = LLM(model, tokenizer=chatting_tokenizer())
    with llm, pytest.raises(ConfigError, match="backend='transformers' keeps no KV blocks"):
        llm.save_prefix(tmp_path / "a.prefix", PREFIX)


def test_a_full_disk_leaves_what_was_there(llm, saved, tmp_path):
    place = put(tmp_path, saved)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most in (2 * PAGE, 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
        try:
            with pytest.raises(PrefixFileError, match=r"b\.prefix cannot be written: "):
                llm.save_prefix(place, PREFIX[:64])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [*tmp_path.iterdir()] == [place]
    assert place.read_bytes() == saved


@pytest.mark.parametrize("name", ["no/folder/a.prefix", ".", "a\0b", "pipe"])
def test_places_that_cannot_be_written(llm, tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PrefixFileError, match="cannot be written"):
        llm.save_prefix(f"{tmp_path}/{name}", PREFIX)


def test_a_damaged_file_takes_nothing_from_who_has_it_already(llm, saved, tmp_path):
    place = put(tmp_path, saved[:-1] + bytes([saved[-1] ^ 1]))
    expected = logits_after(llm, PREFIX).copy()
    kept = engine_of(llm).pool.num_kept
    with pytest.raises(PrefixFileError, match="block 6 of 6"):
        llm.load_prefix(place)
    assert engine_of(llm).pool.num_kept == kept
    np.testing.assert_array_equal(bits(logits_after(llm, PREFIX)), bits(expected))
