"""Every pre-tokenizer against its own patterns under the `regex` package, and by hand."""

from __future__ import annotations

import pytest
from support.text_corpus import corpus
from support.textbook_bpe import cut

from foretell.errors import UnsupportedModelError
from foretell.text.tokenizers.pretokenizers import PRETOKENIZERS, find_pretokenizer

RULES = {rule.patterns: name for name, rule in PRETOKENIZERS.items()}  # each rule once


def pieces(name: str, text: str) -> list[str]:
    steps = find_pretokenizer(name, "file").build()
    return [text[start:end] for _, (start, end) in steps.pre_tokenize_str(text)]


@pytest.mark.parametrize("name", RULES.values())
def test_cuts_as_the_patterns_say(name: str) -> None:
    steps = PRETOKENIZERS[name].build()
    for text in corpus():
        found = [text[start:end] for _, (start, end) in steps.pre_tokenize_str(text)]
        assert found == cut(text, PRETOKENIZERS[name].patterns), repr(text)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("gpt-2", "I'll pay  12345!\n\n", ["I", "'ll", " pay", " ", " 12345", "!", "\n\n"]),
        ("gpt-2", "I'LL", ["I", "'", "LL"]),
        ("smollm", "a 123", ["a", " ", "1", "2", "3"]),
        ("smollm", "x²٣", ["x", "²", "٣"]),
        ("command-r", "v10", ["v", "1", "0"]),
        ("default", "a+=1234;", ["a", "+=", "123", "4", ";"]),
        ("falcon", "`x` 1234", ["`", "x", "`", " ", "123", "4"]),
        ("falcon", " ½ ² ① Ⅳ", [" ½", " ²", " ①", " Ⅳ"]),
        ("llama-bpe", "I'LL pay 12345!\n\nx", ["I", "'LL", " pay", " ", "123", "45", "!\n\n", "x"]),
        ("llama-bpe", "(word\tword   x", ["(word", "\tword", "  ", " x"]),
        ("qwen2", "n 123", ["n", " ", "1", "2", "3"]),
        ("qwen2", "é e\u0301x", ["é", " e", "\u0301x"]),
        ("qwen35", "é e\u0301x", ["é", " e\u0301x"]),
        ("gpt-4o", "helloWorld'S HTTPServer", ["hello", "World'S", " HTTPServer"]),
        ("gpt-4o", "a/b//\nx", ["a", "/b", "//\n", "x"]),
        ("tekken", "helloWorld's 12", ["hello", "World", "'s", " ", "1", "2"]),
        ("deepseek-llm", "Hi  你好, 123\n", ["Hi", "  ", "你好", ",", " ", "123", "\n"]),
        ("deepseek-coder", "x = 12;", ["x", " = ", "1", "2", ";"]),
        ("deepseek-v3", ".foo 1234 你好ab", [".foo", " ", "123", "4", " ", "你好", "ab"]),
        ("seed-coder", "a!\n", ["a", "!", "\n"]),
        ("bloom", "Hi, you (x)", ["Hi", ",", " you", " (", "x", ")"]),
        ("viking", "ab12", ["ab", "1", "2"]),
    ],
)
def test_cuts_by_hand(name: str, text: str, expected: list[str]) -> None:
    assert pieces(name, text) == expected


NUMERALS = "a½ ² ①Ⅳ", " 12٣345 7"
LLAMA_CPP: dict[tuple[str, str], str] = {
    ("a|½| |²| |①Ⅳ", " |12٣|345| |7"): "default llama-bpe dbrx gpt-4o deepseek-v3",
    ("a|½| ²| ①Ⅳ", " 12٣|345| 7"): "falcon",
    ("a|½| ²| ①Ⅳ", " 12٣345| 7"): "gpt-2 mpt",
    ("a|½| |²| |①|Ⅳ", " |1|2|٣|3|4|5| |7"): (
        "smollm command-r qwen2 hunyuan qwen35 tekken deepseek-coder seed-coder viking"
    ),
    ("a|½| |²| |①Ⅳ", " |12٣345| |7"): "deepseek-llm",
    ("a½| ²| ①Ⅳ", " 12٣345| 7"): "bloom",
}
"""How llama.cpp cuts the numerals by each rule, seen with a vocabulary that merges whatever is left
together."""


@pytest.mark.parametrize(
    ("name", "expected"),
    [(name, cuts) for cuts, names in LLAMA_CPP.items() for name in names.split()],
)
def test_cuts_numerals_as_llama_cpp_does(name: str, expected: tuple[str, str]) -> None:
    assert tuple("|".join(pieces(name, text)) for text in NUMERALS) == expected


def test_all_rules_have_numerals_of_llama_cpp() -> None:
    checked = {PRETOKENIZERS[name] for names in LLAMA_CPP.values() for name in names.split()}
    assert {rule.patterns for rule in PRETOKENIZERS.values()} == {one.patterns for one in checked}


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"m\.gguf: tokenizer\.ggml\.pre is 'nonsense'"):
        find_pretokenizer("nonsense", "m.gguf")


def test_a_long_run_of_anything_is_cut_without_trouble() -> None:
    for name in RULES.values():
        for char in " \nA한0.":
            text = char * 20_000
            assert "".join(pieces(name, text)) == text
