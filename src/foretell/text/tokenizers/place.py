"""Where a text stands that is to be encoded."""

from __future__ import annotations

from enum import Enum


class Place(Enum):
    """What a text follows. Some tokenizers put a space before it at some of these places.

    START is the begin of a prompt. AFTER_TOKEN follows a control or user-defined token. INSIDE is
    the middle of a text: no tokenizer puts anything there.
    """

    START = "start"
    AFTER_TOKEN = "after_token"
    INSIDE = "inside"
