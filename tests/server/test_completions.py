"""Completions over HTTP: texts, ids and lists of them, echoed, scored and streamed."""

from __future__ import annotations

import pytest
from support.asgi import call
from support.toy import EOS, VOCAB_SIZE, toy_tokenizer
from support.toy_async import run
from support.toy_infill import GAP, PREFIX, SUFFIX, infill_backend, infill_tokenizer
from support.toy_server import CHAT, COMPLETIONS, HELLO, RESPONSES, serving

from foretell.backends.scripted import ScriptedBackend, recite
from foretell.server.options import ServerOptions


def reciting() -> ScriptedBackend:
    """Goes on with "the cat", and ends there."""
    line = [*toy_tokenizer().encode("the cat"), EOS]
    return ScriptedBackend(recite(line, vocab_size=VOCAB_SIZE), vocab_size=VOCAB_SIZE)


def test_a_text_or_its_ids_are_continued_as_the_model_does_alone():
    async def main() -> None:
        async with serving() as toy:
            ids = toy.llm.tokenizer.encode("the cat")
            alone = await toy.llm.generate("the cat", max_new_tokens=16)
            for prompt in ("the cat", ids):
                body = {"model": "alias", "prompt": prompt, "temperature": 0}
                answer = (await call(toy.app, COMPLETIONS, body)).data
                (choice,) = answer["choices"]
                assert choice["text"] == alone.text
                assert choice["finish_reason"] == "length"
                assert answer["usage"]["completion_tokens"] == 16
                assert answer["object"] == "text_completion"

    run(main)


def test_choices_of_a_list_come_prompt_after_prompt():
    async def main() -> None:
        async with serving() as toy:
            prompts = ["the cat", "a", "b" * 20]
            body = {"prompt": prompts, "n": 2, "seed": 5, "max_tokens": 4}
            whole = (await call(toy.app, COMPLETIONS, body)).data
            alone = await toy.llm.generate(
                prompts, num_return_sequences=2, seed=5, temperature=1.0, max_new_tokens=4
            )
            assert [choice["text"] for choice in whole["choices"]] == [one.text for one in alone]
            assert [choice["index"] for choice in whole["choices"]] == [*range(6)]
            expected = sum(one.usage.prompt_tokens for one in alone if one.index == 0)
            assert whole["usage"]["prompt_tokens"] == expected
            assert whole["usage"]["completion_tokens"] == 24
            stream = await call(toy.app, COMPLETIONS, {**body, "stream": True})
            texts = [""] * 6
            for event in stream.events[:-1]:
                (choice,) = event["choices"]
                texts[choice["index"]] += choice["text"]
            assert texts == [one.text for one in alone]

    run(main)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("prompt", ["the cat", "Grüße", [104, 105]])
def test_what_is_echoed_has_the_log_probabilities_of_its_score(prompt, stream):
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": prompt, "max_tokens": 3, "temperature": 0, "echo": True}
            answer = await call(toy.app, COMPLETIONS, {**body, "logprobs": 2, "stream": stream})
            parts = [
                choice
                for event in (answer.events[:-1] if stream else [answer.data])
                for choice in event["choices"]
            ]
            text = "".join(part["text"] for part in parts)
            alone = await toy.llm.generate(prompt, max_new_tokens=3, logprobs=2)
            assert text == alone.prompt + alone.text
            told: dict[str, list] = {"tokens": [], "token_logprobs": [], "top_logprobs": []}
            offsets = []
            for part in parts:
                for name in told:
                    told[name] += (part["logprobs"] or {name: []})[name]
                offsets += (part["logprobs"] or {"text_offset": []})["text_offset"]
            score = await toy.llm.score(alone.prompt_token_ids + alone.token_ids, top=2)
            assert told["token_logprobs"] == [token.logprob for token in score.tokens]
            assert told["token_logprobs"][0] is None
            assert told["top_logprobs"][0] is None
            assert offsets == sorted(offsets)
            for token, top, entry in zip(
                told["tokens"][1:], told["top_logprobs"][1:], score.tokens[1:], strict=True
            ):
                assert top[token] == entry.logprob
                assert 2 <= len(top) <= 3

    run(main)


def test_no_token_may_be_asked_for_to_have_a_prompt_scored():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": ["the cat", "a b"], "max_tokens": 0, "echo": True, "logprobs": 0}
            answer = (await call(toy.app, COMPLETIONS, body)).data
            for choice, text in zip(answer["choices"], body["prompt"], strict=True):
                assert choice["text"] == text
                score = await toy.llm.score(text)
                found = choice["logprobs"]["token_logprobs"]
                assert found == [token.logprob for token in score.tokens]
            assert answer["usage"]["completion_tokens"] == 0
            stream = await call(toy.app, COMPLETIONS, {**body, "stream": True})
            text = "".join(event["choices"][0]["text"] for event in stream.events[:-1])
            assert text == "the cata b"

    run(main)


def test_ids_are_told_where_they_are_asked_for():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": "the cat", "max_tokens": 5, "seed": 4, "return_token_ids": True}
            (choice,) = (await call(toy.app, COMPLETIONS, body)).data["choices"]
            alone = await toy.llm.generate("the cat", max_new_tokens=5, seed=4, temperature=1.0)
            assert choice["token_ids"] == alone.token_ids
            assert choice["prompt_token_ids"] == alone.prompt_token_ids
            stream = await call(toy.app, COMPLETIONS, {**body, "stream": True})
            ids = [
                one
                for event in stream.events[:-1]
                for one in event["choices"][0].get("token_ids", [])
            ]
            assert ids == alone.token_ids

    run(main)


def test_parts_of_characters_are_spelled_as_bytes_and_do_not_collide():
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": "한", "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 0}
            (choice,) = (await call(toy.app, COMPLETIONS, body)).data["choices"]
            assert choice["logprobs"]["tokens"][:3] == [
                "bytes:\\xed",
                "bytes:\\x95",
                "bytes:\\x9c",
            ]

    run(main)


@pytest.mark.parametrize("parses", [None, True, False])
def test_special_tokens_of_a_text_count_as_such_unless_that_is_unwanted(parses):
    async def main() -> None:
        async with serving() as toy:
            text = "<|start|>the"
            body = {"prompt": text, "max_tokens": 4, "temperature": 0, "parse_special": parses}
            (choice,) = (await call(toy.app, COMPLETIONS, body)).data["choices"]
            alone = await toy.llm.generate(
                text, max_new_tokens=4, parse_special=parses is not False
            )
            assert choice["text"] == alone.text

    run(main)


@pytest.mark.parametrize("adds", [None, True, False])
@pytest.mark.parametrize("prompt", ["<|start|>the", ["the cat", [70, 71], "a"]])
def test_a_text_begins_as_the_model_wants_it_unless_that_is_unwanted(prompt, adds):
    async def main() -> None:
        async with serving(tokenizer=toy_tokenizer(adds_bos=True)) as toy:
            body = {"prompt": prompt, "max_tokens": 1, "add_special_tokens": adds}
            body |= {"echo": True, "return_token_ids": True, "temperature": 0}
            choices = (await call(toy.app, COMPLETIONS, body)).data["choices"]
            prompts = [prompt] if isinstance(prompt, str) else prompt
            for one, choice in zip(prompts, choices, strict=True):
                alone = await toy.llm.generate(one, max_new_tokens=1, parse_special=True)
                ids = alone.prompt_token_ids
                if adds is False and isinstance(one, str):
                    ids = toy.llm.tokenizer.encode(
                        one, add_special_tokens=False, parse_special=True
                    )
                assert choice["prompt_token_ids"] == ids
                assert choice["text"].startswith(one if isinstance(one, str) else alone.prompt)

    run(main)


def test_a_stop_is_told_and_cut_from_the_text():
    async def main() -> None:
        async with serving() as toy:
            whole = await toy.llm.generate("the", max_new_tokens=30)
            stop = whole.text[10:13]
            body = {"prompt": "the", "max_tokens": 30, "temperature": 0, "stop": [stop]}
            for extra in ({}, {"include_stop_str_in_output": True}):
                (choice,) = (await call(toy.app, COMPLETIONS, {**body, **extra})).data["choices"]
                alone = await toy.llm.generate("the", max_new_tokens=30, stop=[stop], **extra)
                assert choice["text"] == alone.text
                assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", stop)

    run(main)


def test_a_suffix_has_the_gap_before_it_filled():
    async def main() -> None:
        async with serving(infill_backend(), tokenizer=infill_tokenizer()) as toy:
            body = {"prompt": PREFIX, "suffix": SUFFIX, "temperature": 0, "max_tokens": 9}
            (choice,) = (await call(toy.app, COMPLETIONS, body)).data["choices"]
            assert (choice["text"], choice["finish_reason"]) == (GAP, "stop")
            listed = await call(
                toy.app, COMPLETIONS, {**body, "prompt": [PREFIX] * 2, "echo": True}
            )
            assert [one["text"] for one in listed.data["choices"]] == [PREFIX + GAP] * 2
            refused = await call(toy.app, COMPLETIONS, {**body, "prompt": [5, 6]})
            assert (refused.status, refused.error["param"]) == (400, "suffix")

    run(main)


@pytest.mark.parametrize(
    "prompt",
    [None, 3, {}, [], [""], [[]], "", [1, "a"], [[1], ["a"]], [True], [-1], [10**9], ["\ud800"]],
)
def test_what_is_no_prompt_is_refused(prompt):
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": prompt, "stream": True}
            for wish in ({}, {"add_special_tokens": False}):
                answer = await call(toy.app, COMPLETIONS, {**body, **wish})
                assert answer.status == 400, answer.body
                assert answer.error["type"] == "invalid_request_error"

    run(main)


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": 21}, "logprobs"),
        ({"prompt_logprobs": 21}, "prompt_logprobs"),
        ({"bad_words": ["a" * 3000] * 22}, "bad_words"),
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 5, "max_new_tokens": 6}, "max_new_tokens"),
        ({"echo": 1}, "echo"),
        ({"prompt": ["a"] * 2049}, "prompt"),
        ({"prompt": ["a"] * 100, "n": 128}, "n"),
    ],
)
def test_what_is_refused_is_named(wish, param):
    async def main() -> None:
        async with serving() as toy:
            answer = await call(toy.app, COMPLETIONS, {"prompt": "a", **wish})
            assert (answer.status, answer.error["param"]) == (400, param), answer.body

    run(main)


@pytest.mark.parametrize(
    "name", ["stop", "bad_words", "dry_sequence_breakers", "negative_prompt", "stop_regex"]
)
def test_a_lone_surrogate_is_no_text(name):
    async def main() -> None:
        needs = {"dry_multiplier": 1, "guidance_scale": 2}
        wish = {name: "\ud800", **(needs if name in ("negative_prompt",) else {})}
        if name == "dry_sequence_breakers":
            wish = {name: ["\ud800"], "dry_multiplier": 1}
        async with serving() as toy:
            answer = await call(toy.app, COMPLETIONS, {"prompt": "a", **wish})
            assert answer.status == 400, answer.body

    run(main)


@pytest.mark.parametrize(
    ("route", "body"),
    [(COMPLETIONS, {"prompt": "a"}), (CHAT, {"messages": HELLO}), (RESPONSES, {"input": "a"})],
)
def test_what_a_request_says_counts_before_the_servers_defaults(route, body):
    async def main() -> None:
        defaults = {"temperature": 0.5, "max_new_tokens": 9, "ignore_eos": True}
        async with serving(options=ServerOptions(defaults=defaults)) as toy:
            for wish, length in (({}, 9), ({"max_new_tokens": 5}, 5)):
                usage = (await call(toy.app, route, {**body, **wish})).data["usage"]
                assert length in (usage.get("completion_tokens"), usage.get("output_tokens"))

    run(main)


@pytest.mark.parametrize("wish", [{}, {"echo": True, "logprobs": 1}, {"max_tokens": 0}])
def test_a_stream_tells_of_each_prompt_once_and_what_a_whole_answer_tells(wish):
    async def main() -> None:
        async with serving() as toy:
            body = {"prompt": ["the cat", "a", [70, 71, 72]], "n": 2, "seed": 5, "max_tokens": 4}
            body |= {"prompt_logprobs": 3, "return_token_ids": True, **wish}
            whole = (await call(toy.app, COMPLETIONS, body)).data["choices"]
            events = (await call(toy.app, COMPLETIONS, {**body, "stream": True})).events[:-1]
            for name in ("prompt_token_ids", "prompt_logprobs"):
                told: dict[int, object] = {}
                for event in events:
                    (choice,) = event["choices"]
                    is_first = choice["index"] not in told
                    assert (name in choice) == is_first
                    if is_first:
                        told[choice["index"]] = choice[name]
                assert told == {choice["index"]: choice[name] for choice in whole}

    run(main)


@pytest.mark.parametrize(
    ("route", "body"),
    [
        (COMPLETIONS, {"prompt": "a", "logprobs": 0}),
        (CHAT, {"messages": HELLO, "logprobs": True}),
        (RESPONSES, {"input": "a", "include": ["message.output_text.logprobs"]}),
    ],
)
def test_log_probabilities_are_of_one_stage_here(route, body):
    async def main() -> None:
        async with serving() as toy:
            for stages in (["final"], "final"):
                answer = await call(toy.app, route, {**body, "logprobs_stage": stages})
                assert answer.status == 200
            answer = await call(toy.app, route, {**body, "logprobs_stage": ["raw", "final"]})
            assert (answer.status, answer.error["param"]) == (400, "logprobs_stage")

    run(main)


def test_ids_that_have_no_text_are_streamed_too():
    async def main() -> None:
        async with serving(reciting()) as toy:
            body = {"prompt": "the", "temperature": 0, "return_token_ids": True}
            (whole,) = (await call(toy.app, COMPLETIONS, body)).data["choices"]
            stream = await call(toy.app, COMPLETIONS, {**body, "stream": True})
            ids = [
                one
                for event in stream.events[:-1]
                for one in event["choices"][0].get("token_ids", [])
            ]
            assert ids == whole["token_ids"]
            assert ids[-1] == EOS

    run(main)
