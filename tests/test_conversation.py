"""Conversations: what is said, kept, taken back, saved and loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from support.toy import BOS, EOS, toy_llm
from support.toy_chat import chatting_llm, chatting_tokenizer

from foretell import LLM, GenerationConfig
from foretell.conversation import Conversation, Turn, go_on
from foretell.errors import ConfigError, RequestError
from foretell.outputs import Chunk
from foretell.text.chat.prompt import chat_prompt


def heard(chunks: Iterable[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_answers_know_what_was_said_before() -> None:
    talk = Conversation(chatting_llm(), system="be kind")
    assert heard(talk.say("hi")) == "1: hi"
    assert heard(talk.say("고양이 cat")) == "2: 고양이 cat"
    assert talk.messages == [
        message("system", "be kind"),
        message("user", "hi"),
        message("assistant", "1: hi"),
        message("user", "고양이 cat"),
        message("assistant", "2: 고양이 cat"),
    ]


def test_its_repr_says_who_answers_and_how_much_was_said() -> None:
    talk = Conversation(chatting_llm(), system="be kind")
    assert repr(talk) == f"Conversation({chatting_llm()!r}, 1 message)"
    heard(talk.say("hi"))
    assert repr(talk).endswith(", 3 messages)")
    assert len(repr(talk)) < 80


def test_the_prompt_is_the_rendered_history() -> None:
    llm = chatting_llm()
    talk = Conversation(llm)
    heard(talk.say("hi"))
    *_, last = talk.say("so?")
    expected = "<|start|>user\nhi<|end|><|start|>assistant\n1: hi<|end|>"
    expected += "<|start|>user\nso?<|end|><|start|>assistant\n"
    assert last.require_output().prompt == expected
    assert last.require_output().prompt_token_ids == chat_prompt(llm.tokenizer, talk.messages[:3])


def test_an_answer_left_early_is_kept_as_far_as_it_was_shown() -> None:
    talk = Conversation(chatting_llm())
    chunks = talk.say("hello")
    shown = next(chunks).text + next(chunks).text
    chunks.close()
    assert talk.messages == [message("user", "hello"), message("assistant", shown)]
    assert shown == "1:"


def test_nothing_was_said_if_nothing_was_shown() -> None:
    talk = Conversation(chatting_llm())
    talk.say("hello").close()
    assert talk.messages == []


def test_an_answer_that_breaks_off_is_kept_as_far_as_it_was_shown() -> None:
    def fail(said: str) -> None:
        if said == "1: he":
            raise OSError("broken")

    talk = Conversation(chatting_llm(fail))
    with pytest.raises(OSError, match="broken"):
        heard(talk.say("hello"))
    assert talk.messages[-1] == message("assistant", "1: he")


def test_settings_are_those_of_the_answer_or_else_of_the_conversation() -> None:
    talk = Conversation(chatting_llm(), config=GenerationConfig(max_new_tokens=2))
    assert heard(talk.say("hi")) == "1:"
    assert heard(talk.say("hi", max_new_tokens=3)) == "2: "
    with pytest.raises(ConfigError, match="temperature=-1"):
        talk.say("hi", temperature=-1)
    assert len(talk.messages) == 4


@pytest.mark.parametrize(
    ("context_length", "settings", "expected"),
    [
        (1024, {}, 512),
        (64, {}, 64 - 20),
        (1024, {"max_new_tokens": 9}, 9),
        (1024, {"max_length": 50}, None),
    ],
)
def test_answers_are_as_long_as_there_is_room(
    context_length: int, settings: dict[str, int], expected: int | None
) -> None:
    llm = chatting_llm(context_length=context_length)
    assert len(chat_prompt(llm.tokenizer, [message("user", "hi")])) == 20
    *_, last = Conversation(llm, max_answer_tokens=512).say("hi", **settings)
    assert last.require_output().config.max_new_tokens == expected
    config = GenerationConfig(**settings)
    *_, last = Conversation(llm, config=config, max_answer_tokens=512).say("hi")
    assert last.require_output().config.max_new_tokens == expected


def test_a_conversation_that_outgrows_the_context_is_refused() -> None:
    talk = Conversation(chatting_llm(context_length=32), max_answer_tokens=8)
    with pytest.raises(RequestError, match="the context has 32"):
        talk.say("a" * 40)
    assert talk.messages == []


def test_undo_takes_back_message_and_answer() -> None:
    talk = Conversation(chatting_llm(), system="be kind")
    heard(talk.say("one"))
    heard(talk.say("two"))
    assert talk.undo() == "two"
    assert talk.undo() == "one"
    assert talk.messages == [message("system", "be kind")]
    with pytest.raises(RequestError, match="nothing was said yet"):
        talk.undo()


def test_clear_leaves_the_system_message() -> None:
    talk = Conversation(chatting_llm(), system="be kind")
    heard(talk.say("one"))
    talk.clear()
    assert talk.messages == [message("system", "be kind")]
    talk.system = None
    assert talk.messages == []
    talk.system = "be brief"
    assert (talk.system, len(talk.messages)) == ("be brief", 1)
    with pytest.raises(RequestError, match="must be a string"):
        talk.system = 3  # type: ignore[assignment]


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    talk = Conversation(chatting_llm(), system="be kind")
    heard(talk.say("고양이"))
    path = tmp_path / "talk.json"
    path.write_text("something else")
    talk.save(path)
    assert os.listdir(tmp_path) == ["talk.json"]
    other = Conversation(chatting_llm(), system="forgotten")
    other.load(path)
    assert other.messages == talk.messages
    path.write_text(json.dumps(talk.messages[:2]))
    other.load(path)
    assert other.messages == talk.messages[:2]


def test_nothing_said_can_be_saved_too(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    Conversation(chatting_llm()).save(path)
    talk = Conversation(chatting_llm(), system="a")
    talk.load(path)
    assert talk.messages == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"3", "is no conversation: messages=3 must be a list"),
        (b"{}", "is no conversation: messages=None must be a list"),
        (b'{"messages": [{"role": "user"}]}', "is no conversation: messages[0] has no 'content'"),
        (b'[{"role": "user", "content": "\\ud800"}]', "is no conversation: messages[0]["),
    ],
)
def test_files_that_hold_no_conversation_change_nothing(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    path = tmp_path / "talk.json"
    path.write_bytes(data)
    talk = Conversation(chatting_llm(), system="stays")
    with pytest.raises(RequestError) as caught:
        talk.load(path)
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(caught.value)
    assert talk.system == "stays"


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    talk = Conversation(chatting_llm())
    with pytest.raises(RequestError, match=r"none\.json: cannot be read: No such file"):
        talk.load(tmp_path / "none.json")
    with pytest.raises(RequestError, match=r"talk\.json: cannot be written: No such file"):
        talk.save(tmp_path / "none" / "talk.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RequestError, match="folder: cannot be written"):
        talk.save(tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]


def test_a_model_without_a_template_cannot_chat() -> None:
    with pytest.raises(RequestError, match="no chat template"):
        Conversation(toy_llm()).say("hi")


def test_llm_chats() -> None:
    llm = chatting_llm()
    assert llm.chat([message("user", "hi")]).text == "1: hi"
    assert heard(llm.stream_chat([message("user", "hi")], max_new_tokens=2)) == "1:"


def test_the_default_model_answers(default_model_path: Path) -> None:
    from foretell import LLM

    with LLM(default_model_path) as llm:
        talk = Conversation(llm, system="Answer in one sentence.", max_answer_tokens=40)
        *_, last = talk.say("What is the capital of France?")
    assert "Paris" in talk.messages[-1]["content"]
    assert last.finish_reason == "stop"


ASKED = [message("user", "the cat")]
ANSWERED = [*ASKED, message("assistant", " cat the"), message("user", "so?")]


@pytest.mark.parametrize("end", [[], [EOS]])
def test_what_the_model_wrote_keeps_its_spelling(end: list[int]) -> None:
    tokenizer = chatting_tokenizer()
    first, second = chat_prompt(tokenizer, ASKED), chat_prompt(tokenizer, ANSWERED)
    letters = [token_id for letter in " cat the" for token_id in tokenizer.encode(letter)]
    num_own = len(tokenizer.encode(" cat the"))
    assert len(letters) == 8 > num_own
    assert second[: len(first)] == first
    found = go_on(second, Turn(first, [1, 2, *first], [*letters, *end]), tokenizer)
    assert found == [1, 2, *first, *letters, *second[len(first) + num_own :]]
    assert tokenizer.decode(found[2:]) == tokenizer.decode(second)


@pytest.mark.parametrize("answer", [" cat th", " cat then", "", [BOS, 3], " cat the<|end|>"])
def test_an_answer_that_is_not_in_the_prompt_is_not_put_there(answer: str | list[int]) -> None:
    tokenizer = chatting_tokenizer()
    first, second = chat_prompt(tokenizer, ASKED), chat_prompt(tokenizer, ANSWERED)
    ids = tokenizer.encode(answer) if isinstance(answer, str) else answer
    assert go_on(second, Turn(first, first, ids), tokenizer) == second
    assert go_on(first, Turn(second, [5], ids), tokenizer) == first


def test_after_a_change_of_the_past_it_is_spelled_anew() -> None:
    talk = Conversation(chatting_llm())
    heard(talk.say("hi"))
    heard(talk.say("again"))
    talk.undo()
    talk.undo()
    assert heard(talk.say("other")) == "1: other"
    talk.system = "be kind"
    assert heard(talk.say("so")) == "2: so"


def test_each_sample_cannot_go_on() -> None:
    talk = Conversation(chatting_llm(), config=GenerationConfig(top_k=5, num_return_sequences=2))
    with pytest.raises(ConfigError, match="num_return_sequences=2 must be 1: one answer goes on"):
        talk.say("hi")
    with pytest.raises(ConfigError, match="num_return_sequences=3 must be 1"):
        talk.say("hi", num_return_sequences=3)
    assert heard(talk.say("hi", num_return_sequences=1, do_sample=False, top_k=None)) == "1: hi"


def test_the_history_is_in_the_cache(default_model_path: Path) -> None:
    with LLM(default_model_path, context_length=1024) as llm:
        talk = Conversation(llm)
        before = 0  # tokens that were computed: all of a turn's but the last
        spellings: list[bool] = []
        for text in ("Tell me about cats.", "And 고양이?", "Thanks!"):
            *_, last = talk.say(text, temperature=1.6, seed=5, max_new_tokens=32)
            output = last.require_output()
            assert output.usage.cached_tokens == before // 16 * 16
            before = output.usage.prompt_tokens + len(output.token_ids) - 1
            asked = chat_prompt(llm.tokenizer, talk.messages[:-1])
            spellings.append(output.prompt_token_ids == asked)
            assert output.prompt == llm.tokenizer.decode(asked, skip_special_tokens=False)
        assert spellings == [True, False, False]  # the model's own differs from the tokenizer's
