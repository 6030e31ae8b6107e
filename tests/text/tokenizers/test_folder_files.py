"""What a folder's files say of special tokens, templates and ends, and what is refused in them."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.folder_tokenizers import byte_level, llama3, save
from transformers import AutoTokenizer

from foretell.errors import ConfigError, ModelFileError, RequestError, UnsupportedModelError
from foretell.text.chat.prompt import template_of
from foretell.text.chat.template import ChatTemplate
from foretell.text.tokenizer import Tokenizer

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|user|>{{ m.content }}{{ eos_token }}{% endfor %}"
)
MESSAGES = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("saved"), "byte_level", chat_template=TEMPLATE)


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A fresh copy of a sound folder."""
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    values = json.loads(path.read_text()) if path.exists() else {}
    change(values)
    path.write_text(json.dumps(values))


def test_template_renders_as_transformers(folder: Path) -> None:
    ours, theirs = Tokenizer.from_folder(folder), AutoTokenizer.from_pretrained(folder)
    assert (folder / "chat_template.jinja").exists()
    template = ChatTemplate(ours.chat_template or "", bos_token="<s>", eos_token="</s>")
    text = template.render(MESSAGES)
    assert text == theirs.apply_chat_template(MESSAGES, tokenize=False)
    assert ours.encode(text, parse_special=True) == theirs.encode(text)


def test_templates_know_all_special_tokens_as_in_transformers(folder: Path) -> None:
    roles = ["bos", "eos", "unk", "sep", "pad", "cls", "mask", "image", "turn", "other"]
    source = "".join(
        f"{role}: {{{{ {role}_token if {role}_token is defined else '-' }}}}\n" for role in roles
    )
    (folder / "chat_template.jinja").write_text(source)
    named = {
        "pad_token": {"__type": "AddedToken", "content": "<|user|>"},
        "mask_token": "<|trim|>",
        "sep_token": "</s>",
        "image_token": "<think>",
        "extra_special_tokens": {"turn_token": "<|user|>"},
    }
    edit(folder / "tokenizer_config.json", lambda values: values.update(named))
    ours, theirs = Tokenizer.from_folder(folder), AutoTokenizer.from_pretrained(folder)
    text = theirs.apply_chat_template(MESSAGES, tokenize=False)
    assert template_of(ours).render(MESSAGES) == text
    assert text.count("-") == 3
    assert template_of(Tokenizer.from_transformers(theirs)).render(MESSAGES) == text


@pytest.mark.parametrize("key", ["additional_special_tokens", "extra_special_tokens"])
def test_special_tokens_without_a_role_are_special(folder: Path, key: str) -> None:
    edit(folder / "tokenizer_config.json", lambda values: values.update({key: ["at", "unknown"]}))
    ours, theirs = Tokenizer.from_folder(folder), AutoTokenizer.from_pretrained(folder)
    index = theirs.convert_tokens_to_ids("at")
    assert ours.is_special(index)
    assert ours.encode("cat", parse_special=True) == theirs.encode("cat")
    assert index not in ours.encode("cat")


def test_older_places_of_templates(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    assert Tokenizer.from_folder(folder).chat_template is None
    config = folder / "tokenizer_config.json"
    edit(config, lambda values: values.update(chat_template="one"))
    assert Tokenizer.from_folder(folder).chat_template == "one"
    several = [{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]
    edit(config, lambda values: values.update(chat_template=several))
    assert Tokenizer.from_folder(folder).chat_template == "b"


@pytest.mark.parametrize("adds_bos", [True, False])
def test_the_template_wins_over_add_bos_token(tmp_path: Path, adds_bos: bool) -> None:
    save(tmp_path, "llama3")
    edit(tmp_path / "tokenizer_config.json", lambda values: values.update(add_bos_token=adds_bos))
    ours, theirs = Tokenizer.from_folder(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert ours.adds_bos
    assert ours.encode("The cat") == theirs.encode("The cat")


def test_templates_are_found_by_name(folder: Path) -> None:
    several = [
        {"name": "default", "template": "usual"},
        {"name": "tool_use", "template": "tools {{ messages }}"},
        {"name": "rag", "template": "documents"},
    ]
    (folder / "chat_template.jinja").unlink()
    edit(folder / "tokenizer_config.json", lambda values: values.update(chat_template=several))
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer.chat_templates == {one["name"]: one["template"] for one in several}
    assert template_of(tokenizer).source == "usual"
    assert template_of(tokenizer, has_tools=True).source == "tools {{ messages }}"
    assert template_of(tokenizer, "rag", has_tools=True).source == "documents"
    assert template_of(tokenizer, "{{ own }}").source == "{{ own }}"
    with pytest.raises(RequestError, match=r"chat_template='rug' must be one of .*default.*rag"):
        template_of(tokenizer, "rug")


def test_saved_templates_come_back_by_name(folder: Path) -> None:
    theirs = AutoTokenizer.from_pretrained(folder)
    theirs.chat_template = {"default": "usual", "rag": "documents"}
    theirs.save_pretrained(folder)
    assert (folder / "additional_chat_templates" / "rag.jinja").exists()
    assert Tokenizer.from_folder(folder).chat_templates == theirs.chat_template


def test_a_default_template_may_be_missing(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    named = {"chat_template": [{"name": "rag", "template": "documents"}]}
    edit(folder / "tokenizer_config.json", lambda values: values.update(named))
    tokenizer = Tokenizer.from_folder(folder)
    with pytest.raises(RequestError, match=r"no default chat template: set chat_template to .*rag"):
        template_of(tokenizer)


def test_ends_named_by_the_model_count(folder: Path) -> None:
    edit(folder / "config.json", lambda values: values.update(vocab_size=500, eos_token_id=4))
    assert Tokenizer.from_folder(folder).eos_token_ids == {1, 4}
    edit(folder / "generation_config.json", lambda values: values.update(eos_token_id=[5, 6]))
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer.eos_token_ids == {1, 5, 6}  # these are instead of the config's
    assert all(map(tokenizer.is_special, tokenizer.eos_token_ids))


def test_tokens_beyond_the_tokenizer_are_empty(folder: Path) -> None:
    size = Tokenizer.from_folder(folder).vocab_size
    edit(folder / "config.json", lambda values: values.update(vocab_size=size + 3))
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer.vocab_size == size + 3
    assert tokenizer.decode([size, size + 2]) == ""


def test_added_tokens_beyond_the_model_are_left_out(folder: Path) -> None:
    """As Gemma 3's `<image_soft_token>`, whose id is the size of the vocabulary."""
    size = Tokenizer.from_folder(folder).vocab_size
    unseen = {"id": size, "content": "<image>", "special": True}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    edit(folder / "tokenizer.json", lambda it: it["added_tokens"].append(unseen | flags))
    edit(folder / "config.json", lambda values: values.update(vocab_size=size))
    tokenizer = Tokenizer.from_folder(folder)
    ids = tokenizer.encode("a<image>b", parse_special=True)
    assert max(ids) < size
    assert tokenizer.decode(ids) == "a<image>b"
    edit(folder / "tokenizer_config.json", lambda values: values.update(eos_token="<image>"))
    with pytest.raises(ModelFileError, match=rf"'<image>' has id {size}: must be below {size}"):
        Tokenizer.from_folder(folder)


def test_special_tokens_named_by_the_config_alone(folder: Path) -> None:
    edit(
        folder / "tokenizer.json",
        lambda values: values.update(
            added_tokens=[token for token in values["added_tokens"] if token["content"] != "</s>"]
        ),
    )
    ours, theirs = Tokenizer.from_folder(folder), AutoTokenizer.from_pretrained(folder)
    text = "a</s>b"
    assert ours.encode(text, parse_special=True) == theirs.encode(text)
    assert ours.eos_token_id not in ours.encode(text)


def test_tokenizers_of_transformers_are_taken_over(folder: Path) -> None:
    theirs = AutoTokenizer.from_pretrained(folder)
    ours = Tokenizer.from_transformers(theirs, vocab_size=500, eos_token_ids=[7])
    text = "<s>The cat <think>ABC DEF</s>"
    assert ours.encode(text, parse_special=True) == theirs.encode(text)
    assert ours.chat_template == TEMPLATE
    assert ours.eos_token_ids == {1, 7}
    assert ours.vocab_size == 500
    with pytest.raises(ConfigError, match="tokenizer=object must be"):
        Tokenizer.from_transformers(object())


def test_repeated_names_are_cut(folder: Path) -> None:
    tokenizer = Tokenizer.from_folder(folder)
    text = "<s><s></s>" * 50
    assert tokenizer.decode(tokenizer.encode(text), skip_special_tokens=False) == text


CHANGES: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str]] = {
    "ids past the model's": (
        "config.json",
        lambda values: values.update(vocab_size=100),
        "must be below 100, the size",
    ),
    "gap before an added token": (
        "tokenizer.json",
        lambda values: values["added_tokens"][-1].update(id=450),
        "has id 450: must be",
    ),
    "two tokens with one id": (
        "tokenizer.json",
        lambda values: values["model"]["vocab"].update(a=5, b=5),
        "must",
    ),
    "a huge id": (
        "tokenizer.json",
        lambda values: values["model"]["vocab"].update(a=4_000_000_000),
        "must be below 4194304",
    ),
    "no model": ("tokenizer.json", lambda values: values.pop("model"), "has no model"),
    "an unknown model": (
        "tokenizer.json",
        lambda values: values["model"].update(type="Magic"),
        "cannot be used",
    ),
    "a merge of nothing": (
        "tokenizer.json",
        lambda values: values["model"]["merges"].append(["zz", "qq"]),
        "cannot be used",
    ),
    "negative end": (
        "generation_config.json",
        lambda values: values.update(eos_token_id=[-1]),
        "must be token ids",
    ),
    "an end past the model's": (
        "generation_config.json",
        lambda values: values.update(eos_token_id=10**7),
        "must be an id below",
    ),
    "a vocabulary of a string": (
        "config.json",
        lambda values: values.update(vocab_size="many"),
        "must be a number of tokens",
    ),
    "a template of a number": (
        "tokenizer_config.json",
        lambda values: values.update(chat_template=7),
        "must be a string",
    ),
    "a template whose name is a list": (
        "tokenizer_config.json",
        lambda values: values.update(chat_template=[{"name": ["default"], "template": "a"}]),
        "chat_template lists {'name': \\['default'\\], 'template': 'a'}: must be",
    ),
    "a list of templates with a number": (
        "tokenizer_config.json",
        lambda values: values.update(chat_template=[{"name": "default", "template": "a"}, 7]),
        "chat_template lists 7: must be",
    ),
    "a template without a text": (
        "tokenizer_config.json",
        lambda values: values.update(chat_template=[{"name": "default"}]),
        "chat_template lists {'name': 'default'}: must be",
    ),
    "a value of many characters": (
        "tokenizer_config.json",
        lambda values: values.update(chat_template=["\x1b[2J\n" * 5000]),
        r"chat_template lists '\\x1b",
    ),
    "a lone surrogate in a template": (
        "tokenizer_config.json",
        lambda values: values.update(chat_template="\ud83d"),
        r"has the lone surrogate '\\ud83d': must be Unicode",
    ),
    "a lone surrogate in a special token": (
        "special_tokens_map.json",
        lambda values: values.update(pad_token="\udc00"),
        "has the lone surrogate",
    ),
    "a lone surrogate in a token": (
        "tokenizer.json",
        lambda values: values["model"]["vocab"].update({"\ud83d": 390}),
        "has the lone surrogate",
    ),
    "a normalizer that doubles": (
        "tokenizer.json",
        lambda values: values.update(normalizer=repeated(23, {"String": "a"}, "aa")),
        "normalizer can make a text 8388608 times as long: must be at most 512 times",
    ),
    "a normalizer that inserts": (
        "tokenizer.json",
        lambda values: values.update(normalizer=repeated(23, {"Regex": "(?=a)"}, "a")),
        "normalizer can make a text 8388608 times as long",
    ),
    "a normalizer that spells bytes again and again": (
        "tokenizer.json",
        lambda values: values.update(
            normalizer={"type": "Sequence", "normalizers": [{"type": "ByteLevel"}] * 23}
        ),
        "normalizer can make a text",
    ),
    "a map of characters to books": (
        "tokenizer.json",
        lambda values: values.update(
            normalizer={
                "type": "Precompiled",
                "precompiled_charsmap": b64encode(bytes(4) + b"a" * 600 + b"\0").decode(),
            }
        ),
        "normalizer can make a text 600 times as long",
    ),
    "a normalizer that prepends a book": (
        "tokenizer.json",
        lambda values: values.update(normalizer={"type": "Prepend", "prepend": "x" * 10**6}),
        "normalizer puts 1000000 characters before a text",
    ),
    "a decoder that doubles": (
        "tokenizer.json",
        lambda values: values.update(
            decoder={
                "type": "Sequence",
                "decoders": repeated(10, {"String": "a"}, "aa")["normalizers"],
            }
        ),
        "decoder can make a text 1024 times as long",
    ),
    "a template that repeats": (
        "tokenizer.json",
        lambda values: values.update(
            post_processor={
                "type": "TemplateProcessing",
                "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 2,
                "pair": [],
                "special_tokens": {},
            }
        ),
        "post_processor repeats the text",
    ),
    "merges shorter than their prefix": (
        "tokenizer.json",
        lambda values: values["model"].update(continuing_subword_prefix="######"),
        "must go on with continuing_subword_prefix '######'",
    ),
    "a step that panics": (
        "tokenizer.json",
        lambda values: values.update(pre_tokenizer={"type": "FixedLength", "length": 0}),
        "cannot be used: chunk size must be non-zero",
    ),
    "a list of decoders": (
        "tokenizer.json",
        lambda values: values.update(decoder=[1]),
        "decoder must be",
    ),
}


def repeated(count: int, pattern: dict[str, str], content: str) -> dict[str, Any]:
    step = {"type": "Replace", "pattern": pattern, "content": content}
    return {"type": "Sequence", "normalizers": [step] * count}


@pytest.mark.parametrize("name", CHANGES)
def test_damaged_files_are_sentences(folder: Path, name: str) -> None:
    (folder / "chat_template.jinja").unlink()
    file, change, message = CHANGES[name]
    edit(folder / file, change)
    with pytest.raises(ModelFileError, match=message) as caught:
        Tokenizer.from_folder(folder)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON"),
        (b"[1]", "holds a list"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe", "must be UTF-8"),
        (b'{"a": 1, "a": 2}', "appears twice"),
    ],
)
def test_unreadable_files_are_sentences(folder: Path, data: bytes, message: str) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        before = (folder / name).read_bytes() if (folder / name).exists() else b"{}"
        (folder / name).write_bytes(data)
        with pytest.raises(ModelFileError, match=message):
            Tokenizer.from_folder(folder)
        (folder / name).write_bytes(before)


@pytest.mark.parametrize("config", [{"eos_token": 7}, {"chat_template": 7}, {"chat_template": [7]}])
def test_a_folder_of_any_name_is_told_in_a_line(
    saved: Path, tmp_path: Path, config: dict[str, Any]
) -> None:
    strange = Path(shutil.copytree(saved, tmp_path / "a\n\x1b[31mb"))
    (strange / "chat_template.jinja").unlink(missing_ok=True)
    edit(strange / "tokenizer_config.json", lambda values: values.update(config))
    with pytest.raises(ModelFileError, match=r"a\\n\\x1b\[31mb") as caught:
        Tokenizer.from_folder(strange)
    assert str(caught.value).isprintable()


def test_missing_tokenizers_are_sentences(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UnsupportedModelError, match=r"has no tokenizer: must have tokenizer\.json"):
        Tokenizer.from_folder(folder)
    (folder / "spiece.model").write_bytes(b"proto")
    with pytest.raises(UnsupportedModelError, match=r"has spiece\.model, but no tokenizer\.json"):
        Tokenizer.from_folder(folder)


def test_strange_files_are_sentences(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").mkdir()
    with pytest.raises(ModelFileError, match="is not a regular file"):
        Tokenizer.from_folder(folder)
    (folder / "tokenizer.json").rmdir()
    (folder / "tokenizer.json").symlink_to("tokenizer.json")
    with pytest.raises(ModelFileError, match="cannot be read"):
        Tokenizer.from_folder(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}, "WordPiece"),
        ({"decoder": {"type": "CTC"}}, "is not supported"),
        ({"decoder": None}, "decoder must be"),
    ],
)
def test_unknown_decoders_are_refused(folder: Path, change: dict[str, Any], message: str) -> None:
    edit(folder / "tokenizer.json", lambda values: values.update(change))
    with pytest.raises((UnsupportedModelError, ModelFileError), match=message):
        Tokenizer.from_folder(folder)


def test_templates_with_other_tokens_are_refused(folder: Path) -> None:
    tokenizer = llama3()
    tokenizer.post_processor = type(tokenizer.post_processor)(
        single="</s> <s> $A", pair="$A $B", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(UnsupportedModelError, match="post_processor"):
        Tokenizer.from_folder(folder)


def test_truncation_and_padding_of_the_file_are_left_out(folder: Path) -> None:
    tokenizer = byte_level()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=50)
    tokenizer.save(str(folder / "tokenizer.json"))
    text = "The cat sat on the mat"
    ours = Tokenizer.from_folder(folder)
    assert ours.decode(ours.encode(text)) == text


def test_an_end_that_the_tokenizer_lacks_is_refused(folder: Path) -> None:
    size = Tokenizer.from_folder(folder).vocab_size
    edit(folder / "generation_config.json", lambda values: values.update(eos_token_id=[1, size]))
    with pytest.raises(ModelFileError, match=f"token {size} must be an id below {size}"):
        Tokenizer.from_folder(folder)
