r"""How byte-level BPE cuts text before it merges: one rule a name of `tokenizer.ggml.pre`.

The patterns are those of the models' own tokenizers; the names, and which of them share a rule,
are llama.cpp's. A rule is a list of patterns: each cuts every piece that the one before it left,
and what lies between two matches is a piece too. Tokenizers runs them with Oniguruma, the engine
for which the models' authors wrote them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foretell.errors import UnsupportedModelError
from foretell.utils.quoting import quote

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer as Steps

DIGIT = r"\p{N}"
DIGITS = r"\p{N}+"
THREE_DIGITS = r"[0-9][0-9][0-9]"
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LINE_ENDS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
SYMBOLS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CASED_WORDS = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+",
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*",
)
ASCII_PUNCTUATION = r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"
HAN_KANA = "[一-龥\u3040-ゟ゠-ヿ]+"
HAN_HANGUL = "[一-龥\u0800-一가-\ud7ff]+"

# Cased letters, as DeepSeek's first tokenizer lists them.
CASED = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af"
    "\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1"
    "\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd"
    "\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d"
    "\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4"
    "\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec"
    "\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128"
    "\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b"
    "\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787"
    "\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a"
    "\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2"
    "\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943"
)


@dataclass(frozen=True)
class PreTokenizer:
    """One rule.

    Attributes:
        patterns: in the order in which they cut.
        nfc: whether the model's tokenizer composes characters (Unicode NFC) first.
        whole_words: whether a piece that is itself a token is taken without merging.
        adds_bos: whether a beginning-of-sequence token is put first where the file does not say.
    """

    patterns: tuple[str, ...]
    nfc: bool = False
    whole_words: bool = False
    adds_bos: bool = False

    def build(self) -> Steps:
        """The rule as a pre-tokenizer of `tokenizers`, ending in the byte-level alphabet."""
        from tokenizers import Regex, pre_tokenizers

        steps: list[Steps] = [
            pre_tokenizers.Digits(individual_digits=True)
            if pattern == DIGIT
            else pre_tokenizers.Split(Regex(pattern), "isolated")
            for pattern in self.patterns
        ]
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return pre_tokenizers.Sequence([*steps, byte_level])


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = rf"{CONTRACTION}|{WORD}|\p{{N}}{{1,3}}|{SYMBOLS}|{LINE_ENDS}"
QWEN2 = rf"{CONTRACTION}|{WORD}|\p{{N}}|{SYMBOLS}|{LINE_ENDS}"
QWEN35 = (
    rf"{CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{LINE_ENDS}"
)
TEKKEN = rf"{'|'.join(CASED_WORDS)}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{LINE_ENDS}"
GPT4O = (
    "|".join(f"{word}{CONTRACTION}?" for word in CASED_WORDS)
    + rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{LINE_ENDS}"
)
DEEPSEEK_V3 = (
    rf"{ASCII_PUNCTUATION}[A-Za-z]+|[^\r\n\p{{L}}\p{{P}}\p{{S}}]?[\p{{L}}\p{{M}}]+"
    rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{LINE_ENDS}"
)
SEED_CODER = rf"{CONTRACTION}|{WORD}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{LINE_ENDS}"
BLOOM = r" ?[^\s(|.,!?…。，、।۔،)]+"

NO_CUTS = PreTokenizer((), adds_bos=True)
PLAIN = PreTokenizer((GPT2,))
SINGLE_DIGITS = PreTokenizer((DIGIT, GPT2))
LLAMA3_RULE = PreTokenizer((LLAMA3,), whole_words=True, adds_bos=True)
CL100K = PreTokenizer((LLAMA3,))
QWEN2_RULE = PreTokenizer((QWEN2,), nfc=True)
DEEPSEEK_LLM = (
    r"[\r\n]",
    rf"\s?[{CASED}]+",
    r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
    r"\s+$",
    HAN_HANGUL,
    DIGITS,
)
DEEPSEEK_CODER = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN_HANGUL, DIGIT)

PRETOKENIZERS: dict[str, PreTokenizer] = {
    "default": PreTokenizer((r"[\p{P}$+<=>^~|]+", GPT2, DIGITS, THREE_DIGITS)),
    "falcon": PreTokenizer((r"[\p{P}$+<=>^~|`]+", GPT2, THREE_DIGITS)),
    **dict.fromkeys(("gpt-2", "phi-2", "jais", "gigachat", "mellum", "exaone4", "trillion"), PLAIN),
    **dict.fromkeys(("mpt", "olmo"), dataclasses.replace(PLAIN, nfc=True)),
    **dict.fromkeys(
        ("smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b"), SINGLE_DIGITS
    ),
    "command-r": dataclasses.replace(SINGLE_DIGITS, nfc=True),
    **dict.fromkeys(
        ("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2"), LLAMA3_RULE
    ),
    **dict.fromkeys(("dbrx", "smaug-bpe", "glm4", "chatglm-bpe"), CL100K),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "megrez", "stablelm2"), QWEN2_RULE),
    **dict.fromkeys(("hunyuan", "grok-2"), PreTokenizer((QWEN2,))),
    "qwen35": PreTokenizer((QWEN35,), nfc=True),
    "tekken": PreTokenizer((TEKKEN,), whole_words=True, adds_bos=True),
    **dict.fromkeys(("gpt-4o", "llama4"), PreTokenizer((GPT4O,))),
    "deepseek-llm": PreTokenizer(DEEPSEEK_LLM),
    "deepseek-coder": PreTokenizer(DEEPSEEK_CODER),
    **dict.fromkeys(
        ("deepseek-v3", "hunyuan-dense"), PreTokenizer((r"\p{N}{1,3}", HAN_KANA, DEEPSEEK_V3))
    ),
    "seed-coder": PreTokenizer((SEED_CODER,)),
    **dict.fromkeys(("bloom", "gpt3-finnish", "poro-chat"), PreTokenizer((BLOOM,))),
    "viking": PreTokenizer((BLOOM, DIGIT)),
}


def find_pretokenizer(name: str, source: str) -> PreTokenizer:
    """The rule of this name; an unknown name raises UnsupportedModelError."""
    rule = PRETOKENIZERS.get(name)
    if rule is None:
        raise UnsupportedModelError(
            f"{source}: tokenizer.ggml.pre is {quote(name)}: must be one of "
            f"{', '.join(sorted(PRETOKENIZERS))}"
        )
    return rule
