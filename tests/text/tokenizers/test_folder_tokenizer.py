"""Tokenizers of checkpoint folders beside transformers' AutoTokenizer on the same folder."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.folder_tokenizers import KINDS, save
from transformers import AutoTokenizer

from foretell.text.chat import template_worker
from foretell.text.chat.escaping import SpecialTokenEscaper
from foretell.text.tokenizer import Tokenizer

TEXTS = [
    "The cat sat on the mat.",
    " a leading space, two  spaces and a trailing one ",
    "\n\n\tline\r\n",
    "안녕 café 👩‍👩‍👧 \u00a0",
    "",
    " ",
    "ABC DEF and <think> here</think>",
]
SPECIAL_TEXTS = [
    "<s>The cat</s>",
    "<|user|>Hello <|user|> there",
    "one <|trim|> two<|trim|>three",
    "</s></s> <s>",
]


@pytest.fixture(scope="module", params=sorted(KINDS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: Any) -> tuple[Tokenizer, Any]:
    """Our tokenizer and transformers' own, of the same folder."""
    folder = save(tmp_path_factory.mktemp("tokenizer"), request.param)
    return Tokenizer.from_folder(folder), AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("text", TEXTS + SPECIAL_TEXTS)
def test_ids_equal_transformers(pair: tuple[Tokenizer, Any], text: str) -> None:
    ours, theirs = pair
    assert ours.encode(text, parse_special=True) == theirs.encode(text)
    plain = ours.encode(text, parse_special=True, add_special_tokens=False)
    assert plain == theirs.encode(text, add_special_tokens=False)


@given(text=st.text(st.sampled_from("the cat sat<s>|user\n  é한👩0123'ABC DEF"), max_size=30))
def test_any_text_equals_transformers(pair: tuple[Tokenizer, Any], text: str) -> None:
    ours, theirs = pair
    assert ours.encode(text, parse_special=True) == theirs.encode(text)


@pytest.mark.parametrize("text", TEXTS)
def test_text_without_control_tokens_needs_no_parsing(
    pair: tuple[Tokenizer, Any], text: str
) -> None:
    ours, theirs = pair
    assert ours.encode(text) == theirs.encode(text)


@pytest.mark.parametrize("text", SPECIAL_TEXTS)
def test_control_tokens_do_not_come_out_of_plain_text(
    pair: tuple[Tokenizer, Any], text: str
) -> None:
    ours, _ = pair
    ids = ours.encode(text, add_special_tokens=False)
    names = {ours.token_text(token_id) for token_id in ids if ours.is_special(token_id)}
    assert names <= {"<unk>"}
    if not names:
        assert ours.decode(ids) == text.removeprefix(" " * ours.adds_space_prefix)


@pytest.mark.parametrize("text", ["cat on", " cat", "the <think> cat<think> sat"])
@pytest.mark.parametrize("parse_special", [False, True])
def test_a_text_that_goes_on_has_no_space_put_before_it(
    pair: tuple[Tokenizer, Any], text: str, parse_special: bool
) -> None:
    ours, theirs = pair
    first = ours.encode("the", add_special_tokens=False)
    rest = ours.encode(
        text, add_special_tokens=False, continuation=True, parse_special=parse_special
    )
    behind = text.partition("<think>")[2]  # there the text is read as transformers reads it
    whole = theirs.decode(theirs.encode(f"the{text}", add_special_tokens=False))
    assert ours.decode(first + rest) == (whole if behind else f"the{text}")


@pytest.mark.parametrize("text", TEXTS)
def test_text_equals_transformers(pair: tuple[Tokenizer, Any], text: str) -> None:
    ours, theirs = pair
    ids = theirs.encode(text, add_special_tokens=False)
    expected = theirs.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert ours.decode(ids) == expected


def test_vocabulary_equals_transformers(pair: tuple[Tokenizer, Any]) -> None:
    ours, theirs = pair
    assert ours.vocab_size == len(theirs)
    assert ours.bos_token_id == theirs.bos_token_id
    assert ours.eos_token_id == theirs.eos_token_id
    special = {i for i in range(ours.vocab_size) if ours.is_special(i)}
    assert special == set(theirs.all_special_ids) | {
        i for i, token in theirs.added_tokens_decoder.items() if token.special
    }


CHAT = "{{ bos_token }}{% for m in messages %}<|user|>{{ m.content }}{{ eos_token }}{% endfor %}"
CONTENTS = ["The cat", " on the mat ", "the <think> cat<think>sat", "<think>", "ABC DEF"]


@pytest.mark.parametrize("content", CONTENTS)
def test_chats_equal_transformers(pair: tuple[Tokenizer, Any], content: str) -> None:
    """User-defined tokens that the template does not mention are read in messages too."""
    ours, theirs = pair
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "sat"}]
    text = theirs.apply_chat_template(messages, chat_template=CHAT, tokenize=False)
    ours.chat_template = CHAT
    escaper = SpecialTokenEscaper(ours, messages)
    context = {"messages": escaper.messages, "bos_token": "<s>", "eos_token": "</s>"}
    found = escaper.encode(template_worker.render(CHAT, context, max_characters=1000))
    assert found == theirs.encode(text, add_special_tokens=False)


@pytest.mark.parametrize("content", ["the <think> cat<think>sat", "<think> the"])
def test_names_that_are_cut_gain_no_space(pair: tuple[Tokenizer, Any], content: str) -> None:
    ours, _ = pair
    ours.chat_template = "{# <think> #}{{ messages[0].content }}"
    escaper = SpecialTokenEscaper(ours, [{"role": "user", "content": content}])
    text = template_worker.render(
        ours.chat_template, {"messages": escaper.messages}, max_characters=1000
    )
    ids = escaper.encode(text)
    assert "<think>" not in map(ours.token_text, ids)
    unknown = [sign for sign in "<>k" if "<unk>" in map(ours.token_text, ours.encode(sign))]
    assert ours.decode(ids) == content.translate(dict.fromkeys(map(ord, unknown)))
