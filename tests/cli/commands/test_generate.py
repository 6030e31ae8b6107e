import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from support.toy import VOCAB_SIZE, reciting_llm, toy_llm
from support.toy_chat import chatting_llm

from foretell import GenerationConfig
from foretell.backends.scripted import improvise


def test_text_goes_to_stdout_and_the_rest_to_stderr(shell):
    result = shell.run("generate", "the cat")
    assert (result.code, result.out) == (0, " sat\n")
    assert result.err.startswith("2 + 5 tokens, first after ")
    assert "ended by end of sequence" in result.err


def test_quiet_leaves_stderr_alone(shell):
    assert shell.run("generate", "the cat", "--quiet").err == ""


def test_a_newline_of_the_models_own_is_not_doubled(shell):
    assert shell.run("generate", "고양이가", "-q").out == " 앉았다\n"


def test_json_is_the_output(shell):
    result = shell.run("generate", "고양이", "--json", "--logprobs", "2", "-q")
    found = json.loads(result.out)
    assert found["text"] == "가 앉았다\n"
    assert "앉았다" in result.out  # not escaped
    assert result.out.count("\n") == 1
    assert found["prompt"] == "고양이"
    assert found["finish_reason"] == "stop"
    assert len(found["logprobs"]) == len(found["token_ids"])
    assert len(found["logprobs"][0]["top"]) == 2


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        (["--max-new-tokens", "5"], {"max_new_tokens": 5}),
        (["--temperature", "0.5", "--seed", "3"], {"temperature": 0.5, "seed": 3}),
        (["--temperature", "0"], {"temperature": 0.0}),
        (["--top-k", "4", "--seed", "0"], {"top_k": 4, "seed": 0}),
        (["--top-p", "0.9", "--seed", "1"], {"top_p": 0.9, "seed": 1}),
        (["--do-sample", "--seed", "1"], {"do_sample": True, "seed": 1}),
        (["--greedy"], {"do_sample": False}),
        (["--ignore-eos"], {"ignore_eos": True}),
        (["--logprobs", "0"], {"logprobs": 0}),
        ([], {}),
    ],
)
def test_every_setting_has_a_flag(shell, flags, settings):
    shell.model(lambda: toy_llm(context_length=32))
    result = shell.run("generate", "a", "--json", *flags)
    assert result.code == 0
    assert json.loads(result.out)["config"] == settings
    assert GenerationConfig(**settings).as_dict() == settings


def test_the_seed_that_was_drawn_is_told(shell):
    shell.model(toy_llm)
    result = shell.run("generate", "a", "--top-k", "5", "--max-new-tokens", "9")
    seed = result.err.rpartition("seed=")[2].rstrip(")\n")
    shell.model(toy_llm)
    again = shell.run("generate", "a", "--top-k", "5", "--max-new-tokens", "9", "--seed", seed)
    assert again.out == result.out


def test_what_the_model_is_opened_with_is_passed_on(shell):
    asked = shell.model(toy_llm)
    pool = ["--kv-dtype", "float32", "--context-length", "64", "--num-blocks", "9"]
    shell.run("generate", "a", "--model", "some.gguf", "--threads", "3", *pool)
    shell.run("generate", "a", "--kv-share", "0.25")
    assert asked == [
        (
            "some.gguf",
            {"threads": 3, "context_length": 64, "kv_dtype": "float32", "num_blocks": 9},
        ),
        ("smollm2-135m-instruct", {"kv_share": 0.25}),
    ]


def test_samples_stand_under_headings(shell):
    shell.model(toy_llm)
    settings = ["--top-k", "9", "--seed", "3", "--max-new-tokens", "8"]
    result = shell.run("generate", "the", "-n", "3", *settings)
    texts = [output.text for output in toy_llm().generate("the", **SAMPLED)]
    assert len(set(texts)) == 3
    expected = [f"== {place} of 3 ==\n{text}\n" for place, text in enumerate(texts, 1)]
    assert result.out == "".join(expected)
    assert result.err.startswith("1 + 24 tokens, first after ")
    assert "ended by length (" in result.err


@pytest.mark.parametrize(
    ("settings", "end"),
    [
        (["--stop", "n"], "a stop string"),
        (["--stop-regex", "n."], "a stop regex"),
        (["--max-new-tokens", "1"], "length"),
        ([], "end of sequence"),
    ],
)
def test_what_ended_the_text_is_told(shell, settings, end):
    shell.model(lambda: reciting_llm("the one"))
    result = shell.run("generate", "the", *settings)
    assert re.search(rf" s, (then .*)?ended by {end}( \(|\n)", result.err)


def test_a_search_tells_how_long_it_took(shell):
    """Its tokens come at its end, all at once: there is no speed after the first."""
    shell.model(toy_llm)
    result = shell.run("generate", "the", "--num-beams", "3", "--max-new-tokens", "5")
    assert re.match(r"1 \+ 5 tokens, after \d+\.\d\d s, ended by length \(", result.err)
    assert "tokens/s" not in result.err


SAMPLED = {"num_return_sequences": 3, "top_k": 9, "seed": 3, "max_new_tokens": 8}


def test_samples_in_json_are_a_list(shell):
    shell.model(toy_llm)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SAMPLED.items()]
    found = json.loads(shell.run("generate", "the", "--json", *flags).out)
    outputs = toy_llm().generate("the", **SAMPLED)
    assert [(one["index"], one["text"]) for one in found] == [
        (output.index, output.text) for output in outputs
    ]


def test_special_tokens_are_parsed_on_request(shell):
    shell.model(toy_llm)
    result = shell.run("generate", "<|start|>", "--parse-special", "--json", "--max-new-tokens=1")
    assert len(json.loads(result.out)["prompt_token_ids"]) == 1


@pytest.mark.parametrize("arguments", [[], ["-"]])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_prompt_may_come_from_stdin(shell, arguments, end):
    shell.stdin(f"the cat{end}".encode())
    assert shell.run("generate", *arguments, "-q").out == " sat\n"


def test_one_newline_alone_is_dropped(shell):
    shell.stdin(b"the cat\n\n")
    shell.model(lambda: reciting_llm("the cat\n sat"))
    assert shell.run("generate", "-q").out == " sat\n"


def test_the_file_may_be_stdin(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shell.stdin(b"the cat\n")
    assert shell.run("generate", "--file", "-", "-q").out == " sat\n"


def test_the_prompt_may_come_from_a_file(shell, tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_text("고양이가\n", encoding="utf-8")
    assert shell.run("generate", "--file", str(path), "-q").out == " 앉았다\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "--file", "b"], "give a prompt or --file, not both"),
        (["--file", "no-such-file.txt"], "no-such-file.txt: No such file"),
        (["a", "--temperature", "-1"], "temperature=-1.0 is out of range"),
        (["a", "--temperature", "nan"], "temperature=nan is out of range"),
        (["a", "--top-p", "2"], "top_p=2.0 is out of range"),
        (["a", "--max-new-tokens", "0"], "max_new_tokens=0 is out of range"),
        (["a", "--greedy", "--top-k", "5"], "top_k=5 has no effect"),
        (["a", "--logprobs", "1"], "--logprobs needs --json"),
        (["a", "--temprature", "1"], "No such option"),
        (["a", "--max-new-tokens", "9999"], "the context has 256"),
        ([""], "the prompt has no tokens"),
        (["a", "--dola-layers", "99"], "dola_layers=(99,) looks at states inside the model"),
    ],
)
def test_mistakes_are_one_line(shell, arguments, message):
    result = shell.run("generate", *arguments)
    assert result.code != 0
    assert message in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""


MARK = b"\xef\xbb\xbf"


def test_a_byte_order_mark_is_not_part_of_the_prompt(shell, tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_bytes(MARK + b"the cat")
    assert shell.run("generate", "--file", str(path), "-q").out == " sat\n"
    shell.stdin(MARK + b"the cat\r\n")
    assert shell.run("generate", "-q").out == " sat\n"


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_a_file_without_end_is_refused(shell):
    result = shell.run("generate", "--file", "/dev/zero")
    assert (result.code, result.out) == (2, "")
    assert "/dev/zero is too large: must have at most 67108864 bytes" in result.err


@pytest.mark.parametrize("command", ["generate", "chat"])
def test_stdin_without_end_is_refused(shell, command, monkeypatch):
    monkeypatch.setattr("foretell.cli.options.MAX_INPUT_BYTES", 100)
    monkeypatch.setattr("foretell.cli.chat.lines.MAX_INPUT_BYTES", 100)
    shell.model(chatting_llm)
    shell.stdin(b"a" * 101)
    result = shell.run(command, "-q")
    assert result.code == 2
    assert "100 bytes" in result.err


def test_a_text_steers_no_terminal(shell):
    shell.model(lambda: reciting_llm("the\x1b[2J\tcat\x9b\n"))
    assert shell.run("generate", "the", "-q").out == "\x1b[2J\tcat\x9b\n"
    piped = json.loads(shell.run("generate", "the", "-q", "--json").out)
    shell.terminal()
    assert shell.run("generate", "the", "-q").out == "\\x1b[2J\tcat\\x9b\n"
    result = shell.run("generate", "the", "-q", "--json")
    assert "\x9b" not in result.out
    assert json.loads(result.out)["text"] == piped["text"] == "\x1b[2J\tcat\x9b\n"


def test_no_prompt_on_a_terminal_is_a_mistake(shell):
    shell.stdin(b"", is_terminal=True)
    result = shell.run("generate")
    assert result.code == 2
    assert "there is no prompt" in result.err


def test_what_is_not_utf8_is_refused(shell, tmp_path):
    shell.stdin(b"caf\xe9 au lait")
    result = shell.run("generate")
    assert result.err == "foretell: error: stdin has byte 0xe9 at 3: must be UTF-8 text\n"
    path = tmp_path / "latin.txt"
    path.write_bytes(b"\xff")
    assert "latin.txt has byte 0xff at 0" in shell.run("generate", "--file", str(path)).err


def test_bad_settings_are_told_before_the_model_is_loaded(shell):
    asked = shell.model(toy_llm)
    assert shell.run("generate", "a", "--top-k", "-1").code == 2
    assert asked == []


@pytest.fixture
def endless(shell):
    def script(history):
        return np.arange(VOCAB_SIZE, dtype=np.float32)[::-1]

    shell.model(lambda: toy_llm(script, context_length=400, num_blocks=100))


def num_tokens(result):
    return json.loads(result.out)["usage"]["completion_tokens"]


def test_a_text_on_a_terminal_has_a_length_and_says_so(shell, endless):
    shell.terminal()
    result = shell.run("generate", "the", "--json")
    assert num_tokens(result) == 256
    assert "stopped after 256 tokens, since no length was stated" in result.err
    assert "--max-new-tokens" in result.err
    assert shell.run("generate", "the", "--json", "-q").err == ""


@pytest.mark.parametrize(
    ("stated", "length"),
    [
        (["--no-limit"], 399),
        (["--max-new-tokens", "300"], 300),
        (["--max-length", "9"], 8),
        (["--min-new-tokens", "300"], 300),
    ],
)
def test_a_stated_length_wins_on_a_terminal(shell, endless, stated, length):
    shell.terminal()
    result = shell.run("generate", "the", "--json", *stated)
    assert num_tokens(result) == length
    assert ("since no length" in result.err) == (stated[0] == "--min-new-tokens")


def test_a_text_that_ends_by_itself_is_not_called_cut(shell):
    shell.terminal()
    assert "stopped" not in shell.run("generate", "the cat").err


def test_a_text_for_a_pipe_goes_on_to_its_end(shell, endless):
    result = shell.run("generate", "the", "--json")
    assert num_tokens(result) == 399
    assert "stopped" not in result.err


def test_no_limit_beside_a_length_is_refused(shell, endless):
    result = shell.run("generate", "the", "--no-limit", "--max-length", "9")
    assert (result.code, result.out) == (2, "")
    assert "--no-limit contradicts" in result.err


def test_many_samples_are_warned_of_for_who_means_a_length(shell):
    shell.model(toy_llm)
    shown = ("generate", "the", "--temperature", "1")
    assert "-n 20 asks for 20 texts" in shell.run(*shown, "-n", "20", "--seed", "1").err
    few = shell.run(*shown, "-n", "20", "--max-new-tokens", "2")
    assert "asks for" not in few.err


def test_an_interrupted_text_ends_its_line(shell):
    def script(history):
        if len(history) > 3:
            raise KeyboardInterrupt
        return improvise(VOCAB_SIZE)(history)

    shell.model(lambda: toy_llm(script))
    result = shell.run("generate", "a")
    assert result.code == 130
    assert result.out.endswith("\n")
    assert result.err == ""


def test_interrupted_samples_end_their_line(shell):
    def script(history):
        if len(history) > 5:
            raise KeyboardInterrupt
        return improvise(VOCAB_SIZE)(history)

    shell.model(lambda: toy_llm(script))
    result = shell.run("generate", "a", "-n", "2", "--top-k", "9", "--seed", "3", "--ignore-eos")
    assert result.code == 130
    assert result.out.startswith("== 1 of 2 ==\n")
    assert result.out.endswith("\n")
    assert "2 of 2" not in result.out


def test_a_closed_pipe_and_ctrl_c_end_cleanly(default_model_path):
    command = [sys.executable, "-m", "foretell", "generate", "Once", "--ignore-eos", "--model"]
    for way in ("close", "interrupt"):
        process = subprocess.Popen(
            [*command, os.fspath(default_model_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(8)  # it streams: nothing else would come before the end
        if way == "close":
            process.stdout.close()
        else:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == {"close": 0, "interrupt": 130}[way]
        assert process.stderr.read() == b""
        process.stdout.close()
        process.stderr.close()


SCHEMA = {
    "type": "object",
    "properties": {"legs": {"type": "integer", "maximum": 9, "minimum": 0}},
    "required": ["legs"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("as_text", [False, True])
def test_a_text_is_held_to_a_schema_of_a_file_or_of_the_command_line(shell, tmp_path, as_text):
    shell.model(toy_llm)
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA), encoding="utf-8")
    value = json.dumps(SCHEMA) if as_text else str(path)
    result = shell.run("generate", "the", "--json-schema", value, "--max-new-tokens", "50")
    assert result.code == 0, result.err
    assert 0 <= json.loads(result.out)["legs"] <= 9
    assert "ended by the form" in result.err


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        (["--choices", "yes", "--choices", "no"], {"yes\n", "no\n"}.__contains__),
        (["--regex", "a[bc]d"], {"abd\n", "acd\n"}.__contains__),
        (["--json-object"], lambda text: text.startswith("{")),
        (["--grammar", 'root ::= "x" [0-9]'], lambda text: text[0] == "x" and text[1].isdigit()),
    ],
)
def test_other_forms(shell, options, fits):
    shell.model(toy_llm)
    result = shell.run("generate", "the", *options, "--max-new-tokens", "50", "-q")
    assert (result.code, result.err) == (0, "")
    assert fits(result.out)


def test_json_tells_whether_a_text_is_complete(shell):
    shell.model(toy_llm)
    wish = ["--regex", "a{5}", "--json", "-q"]
    assert json.loads(shell.run("generate", "the", *wish).out)["complete"] is True
    cut = json.loads(shell.run("generate", "the", *wish, "--max-new-tokens", "2").out)
    assert (cut["text"], cut["complete"]) == ("aa", False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--json-schema", "nowhere.json"], "nowhere.json"),
        (["--json-schema", "{"], "is no JSON"),
        (["--json-schema", '{"not": {}}'], "'not' at $"),
        (["--regex", "a("], "regex"),
        (["--regex", "a", "--choices", "b"], "one form"),
    ],
)
def test_a_form_that_makes_no_sense_exits_with_2(shell, options, words):
    shell.model(toy_llm)
    result = shell.run("generate", "the", *options)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert result.err.count("\n") == 1
