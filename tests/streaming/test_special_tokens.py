"""Special tokens in a text: left out, or written by their names."""

from __future__ import annotations

import pytest
from support.toy_chat import chatting_tokenizer, saying

from foretell.llm import LLM

HELLO = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(("shows", "text"), [(False, "a b"), (True, "a<|start|> b")])
def test_special_tokens_are_in_the_text_where_that_is_asked_for(shows: bool, text: str) -> None:
    with LLM(saying("a<|start|> b"), tokenizer=chatting_tokenizer()) as llm:
        chunks = [*llm.stream_chat(HELLO, show_special_tokens=shows)]
        output = chunks[-1].require_output()
        assert output.text == "".join(chunk.text for chunk in chunks) == text
        plain = llm.chat(HELLO, show_special_tokens=shows, stop="t|> ")
        assert plain.text == ("a<|star" if shows else "a b")
        assert output.token_ids[: len(plain.token_ids)] == plain.token_ids
