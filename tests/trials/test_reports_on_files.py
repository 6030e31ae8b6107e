"""What users of other engines reported about model files and prompt files: see docs/trials.md."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from support.checkpoint_folders import save_llama
from support.folder_tokenizers import save
from support.llama_files import make_model, metadata_of, tensors_of, write

from foretell import LLM, ModelFileError, ModelNotFoundError
from foretell.cli.options import read_prompt
from foretell.formats.gguf import GGUFFile
from foretell.text.tokenizer import Tokenizer

NAMES = ["plain", "with blank", "모델", "Загрузки", "é", "Željko"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_llama(tmp_path_factory.mktemp("checkpoint") / "model", vocab_size=420)
    return save(folder, "byte_level")


@pytest.mark.parametrize("name", NAMES)
def test_a_path_may_have_any_letters(name: str, tmp_path: Path, checkpoint: Path) -> None:
    folder = checkpoint.rename(checkpoint.with_name(name))
    try:
        with LLM(folder) as llm:
            assert llm.generate("the cat", max_new_tokens=2).token_ids
    finally:
        folder.rename(checkpoint)
    model = make_model()
    path = tmp_path / name / f"{name}.gguf"
    path.parent.mkdir()
    write(path, tensors_of(model), metadata_of(model.config))
    with GGUFFile.open(path) as file:
        assert "token_embd.weight" in file.tensors


def test_a_metadata_key_without_a_name_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    path = tmp_path / "empty-key.gguf"
    head = struct.pack("<IQQ", 3, 0, 1)
    path.write_bytes(b"GGUF" + head + struct.pack("<Q", 0) + struct.pack("<II", 4, 1))
    with pytest.raises(ModelFileError, match="metadata"):
        LLM(path)


def test_a_folder_or_nothing_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"config\.json"):
        LLM(tmp_path)
    with pytest.raises(ModelNotFoundError, match=r"none\.gguf"):
        LLM(tmp_path / "none.gguf")


def test_one_part_of_a_split_model_alone_is_refused_with_what_to_do(tmp_path: Path) -> None:
    model = make_model()
    path = tmp_path / "model-00001-of-00002.gguf"
    split = {"split.count": 2, "split.no": 0}
    write(path, tensors_of(model), metadata_of(model.config) | split)
    with pytest.raises(ModelFileError, match=r"model-00002-of-00002.gguf, .*is missing: fetch it"):
        LLM(path)


@pytest.mark.parametrize(
    ("generation", "config", "ends"),
    [([7, 9], 1, {1, 7, 9}), (7, 1, {1, 7}), (None, [7, 9], {1, 7, 9}), (None, 7, {1, 7})],
)
def test_every_end_that_the_files_name_ends_a_text(
    generation: object, config: object, ends: set[int], tmp_path: Path
) -> None:
    folder = save(save_llama(tmp_path / "model", vocab_size=420), "byte_level")
    sizes = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(sizes | {"eos_token_id": config}))
    said = {} if generation is None else {"eos_token_id": generation}
    (folder / "generation_config.json").write_text(json.dumps(said))
    with LLM(folder) as llm:
        assert llm.tokenizer.eos_token_ids == ends  # 1 is the tokenizer's own
        free = llm.generate([5, 6], max_new_tokens=1, ignore_eos=True)
        for end in ends:
            forced = {"logit_bias": {end: 1000.0}, "max_new_tokens": 4}
            assert llm.generate([5, 6], **forced).token_ids == [end]
    assert free.token_ids


@pytest.mark.parametrize("kind", ["byte_level", "llama3", "llama2", "gemma"])
def test_no_space_before_a_sign_is_cleaned_away(kind: str, tmp_path: Path) -> None:
    folder = save(tmp_path / kind, kind, clean_up_tokenization_spaces=True)
    tokenizer = Tokenizer.from_folder(folder)
    for text in ("x != y , ok ? don 't . we 've", "': 'search", "a ! b"):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        streamed = [tokenizer.decode([token], continuation=True) for token in ids]
        assert "".join(streamed).lstrip() == text


def test_of_several_chat_templates_the_default_is_taken(tmp_path: Path) -> None:
    folder = save(save_llama(tmp_path / "model", vocab_size=420), "byte_level")
    path = folder / "tokenizer_config.json"
    named = [
        {"name": "tool_use", "template": "tools"},
        {"name": "default", "template": "said: {{ messages[0].content }}"},
    ]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": named}))
    with LLM(folder) as llm:
        ids = llm.chat([{"role": "user", "content": "cat"}], max_new_tokens=1).prompt_token_ids
        assert llm.tokenizer.decode(ids) == "said: cat"


@pytest.mark.parametrize(
    ("data", "prompt"),
    [
        (b"Four", "Four"),
        (b"Four\n", "Four"),
        (b"Four\r\n", "Four"),
        (b"Four\n\n", "Four\n"),
        (b"Four ", "Four "),
        (b"One\r\nTwo\r\n", "One\r\nTwo"),
    ],
)
def test_of_a_prompt_file_the_last_line_break_alone_is_left_out(
    data: bytes, prompt: str, tmp_path: Path
) -> None:
    path = tmp_path / "prompt.txt"
    path.write_bytes(data)
    assert read_prompt(None, path) == prompt
