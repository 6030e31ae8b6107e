"""Beam searches over a toy model of which a few tokens have nearly all probability."""

from __future__ import annotations

import random

import numpy as np

from foretell.backends.scripted import improvise
from support.toy import EOS, VOCAB_SIZE, toy_llm, toy_tokenizer

PROMPT = "xyz"
LIKELY = [*(toy_tokenizer().encode(text)[0] for text in ("a", "b", " cat", "the", "\n")), EOS]
LIKELY += toy_tokenizer().encode("é")  # the two bytes of one character


def script(history):
    """A few tokens share nearly all probability, by whims that depend on the whole history."""
    row = np.full(VOCAB_SIZE, -30.0, np.float32)
    row[LIKELY] = improvise(len(LIKELY), spread=1.5)(history)
    row[:250] += np.arange(250, dtype=np.float32) / 1000  # no two of the unlikely are alike
    return row


def tree_of(**settings):
    with toy_llm(script) as llm:
        return llm.beams(PROMPT, **settings)


def random_settings(number):
    choose = random.Random(number)
    settings = {
        "num_beams": choose.choice([2, 3, 4, 5]),
        "max_new_tokens": choose.randint(1, 7),
        "length_penalty": choose.choice([0.0, 1.0, 0.5, 2.0, -1.0]),
        "early_stopping": choose.choice([True, False, "never"]),
    }
    if choose.random() < 0.4:
        settings["stop"] = choose.choice([["ab"], [" cat"], ["th", "\n"], ["é"]])
    if choose.random() < 0.3:
        settings["eos_token_id"] = [EOS, LIKELY[0]]
    return settings
