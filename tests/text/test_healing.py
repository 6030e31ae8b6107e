"""What is taken back of a prompt, and which tokens may stand there instead."""

from __future__ import annotations

import random

import pytest
from support.pieces import piece_metadata
from support.toy import toy_tokenizer

from foretell.text.healing import MAX_TAKEN, Healer
from foretell.text.tokenizer import Tokenizer


def spm_tokenizer():
    return Tokenizer.from_gguf(piece_metadata(), source="pieces")


TOKENIZERS = {"byte level": toy_tokenizer, "SentencePiece": spm_tokenizer}


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request):
    return TOKENIZERS[request.param]()


def texts_of(tokenizer):
    return {
        one: tokenizer.token_bytes(one)
        for one in range(tokenizer.vocab_size)
        if not tokenizer.is_special(one) and tokenizer.token_bytes(one)
    }


def is_whole(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def expected(tokenizer, ids):
    """By the definition: the longest tail that is the beginning of a longer token."""
    texts, found = texts_of(tokenizer), None
    for count in range(1, min(MAX_TAKEN, len(ids) - 1) + 1):
        tail, before = ids[-count:], ids[:-count]
        if any(one not in texts for one in tail):
            break
        data = b"".join(texts[one] for one in tail)
        goes_on = any(text.startswith(data) and text != data for text in texts.values())
        if goes_on and is_whole(b"".join(texts.get(one, b"") for one in before)):
            found = (count, data)
    return found


def test_as_many_tokens_as_begin_a_longer_one(tokenizer):
    dice, healer = random.Random(1), Healer(tokenizer)
    letters = "hel the ca ca t é한 <"
    for _ in range(300):
        text = "".join(dice.choice(letters) for _ in range(dice.randint(1, 9)))
        ids = tokenizer.encode(text)
        made = healer.heal(ids)
        assert expected(tokenizer, ids) == (made and (made.num_taken, made.text)), text


def test_allowed_are_those_that_agree_as_far_as_both_go(tokenizer):
    healer, texts = Healer(tokenizer), texts_of(tokenizer)
    for text in (b"h", b" ", b"the", b" hel", b" ca", b"\xff", b"\xc3\xa9"):
        agreeing = {
            one for one, own in texts.items() if own.startswith(text) or text.startswith(own)
        }
        assert sorted(healer.beginnings(text)) == sorted(agreeing)


def test_what_follows_is_what_is_left_of_the_beginning():
    tokenizer = toy_tokenizer()
    beginning = Healer(tokenizer).heal(tokenizer.encode("xyz t"))
    assert (beginning.num_taken, beginning.text) == (1, b"t")
    assert beginning.num_characters == 1
    assert {tokenizer.token_text(one) for one in beginning.allowed([])} == {"t", "th", "the"}
    assert beginning.allowed(tokenizer.encode("th")) is None


def test_several_tokens_and_the_first_stays():
    tokenizer = toy_tokenizer()
    ids = [tokenizer.encode(letter)[0] for letter in (" ", "c", "a")]
    beginning = Healer(tokenizer).heal([5, *ids])
    assert (beginning.num_taken, beginning.text) == (3, b" ca")
    assert Healer(tokenizer).heal(ids) is None
    assert Healer(tokenizer).heal(ids[:1]) is None


def test_nothing_is_taken_where_no_token_goes_on():
    tokenizer = toy_tokenizer()
    assert Healer(tokenizer).heal(tokenizer.encode("x the")) is None


def test_control_tokens_stay():
    tokenizer = toy_tokenizer()
    ids = [*tokenizer.encode("x"), tokenizer.eos_token_id]
    assert Healer(tokenizer).heal(ids) is None
