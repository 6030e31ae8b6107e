"""Over a thousand strings of many kinds, the same in every run of one Python."""

from __future__ import annotations

import random
import unicodedata

CODE = [
    "def f(x: int) -> int:\n    return x ** 2  # square\n",
    "for (int i = 0; i < n; ++i) {\n\ta[i] += b[i] * c;\n}\n",
    '<div class="row"><span>&nbsp;</span></div>\r\n',
    "SELECT name, COUNT(*) FROM users WHERE id >= 10 GROUP BY name;",
    '{"key": [1, 2.5, -3e10, null, true], "other": "\\u00e9\\n"}',
    '#include <stdio.h>\n\n\nint main(void) { puts("hi"); return 0; }',
    "lambda xs: [x for x in xs if x % 2 == 0][::-1]",
    "https://example.com/a/b?c=d&e=%20f#g  user@host:~$ ls -la | grep '^d'",
    "\\frac{1}{2} \\sum_{i=0}^{\\infty} x_i^{2}",
    "__init__ snake_case camelCase PascalCase SCREAMING_CASE kebab-case x1y2z3",
]
PROSE = [
    "The cat sat on the mat, and it wouldn't move; they'd've said it's fine.",
    "I'll, we're, you've, HE'S, DON'T, it'S, O'Neill's 'quoted' ‘curly’ “double”",
    "Once upon a time there was a very small language model.",
    "antidisestablishmentarianism supercalifragilisticexpialidocious",
    "ﬁne ligatures, naïve café, coöperate, Ångström, ﬀ, ſharp",
    "e\u0301 vs é, A\u030a vs Å, n\u0303o\u0308",
    "Straße, ÇA VA, İstanbul, ŁÓDŹ, Đà Nẵng, Þór, œuvre",
]
SCRIPTS = [
    "안녕하세요, 세계! 오늘 날씨가 좋네요. ㅋㅋㅋ ᄀ\u1161\u11a8",
    "你好，世界！今天天气很好。這是繁體字。㐀㐁𠀀𠀁",
    "こんにちは世界。カタカナ、ひらがな、漢字。ﾊﾝｶｸ",
    "مرحبا بالعالم، كيف حالك؟ ١٢٣٤ ۱۲۳",
    "שלום עולם נִקּוּד",
    "Привет, мир! Ёжик и ЩУКА",
    "नमस्ते दुनिया क्षत्रिय १२३",
    "สวัสดีชาวโลก ทดสอบ",
    "Γειά σου Κόσμε ᾳ ᾼ",
    "வணக்கம் உலகம் ಠ_ಠ",
]
EMOJI = [
    "👩‍👩‍👧‍👦 👨🏽‍🚀 🏳️‍🌈 🇰🇷🇫🇷 ❤️ 1️⃣ ☺ 🫠",
    "🤷🏿‍♀️🤷🏿‍♀️ text 🎉🎉🎉",
    "\u200d\u200b\ufe0f\u2060\ufeff zero widths",
]
SPACES = [
    "  leading", "trailing  ", "a  b   c    d     e", "\n\n\n", "\r\n\r\n", "\t\t\tx", " \n \n x",
    "x \t \n y", "\u00a0nbsp\u00a0 \u3000 ideographic \u2003em\u2028line\u2029par", " ", "\x85next",
]  # fmt: skip
CONTROL = [
    "\x00", "a\x00b", "\x01\x02\x03\x07\x08\x0b\x0c\x0e\x1b[0m\x1f\x7f", "\x80\x9f\xad", "\ufffd",
    "\uffff\U0010ffff\U000e0001\ue000",
]  # fmt: skip
DIGITS = [
    "0", "7 77 777 7777 77777", "3.14159265358979", "1,234,567.89", "2024-02-29T23:59:59Z",
    "½ ² Ⅻ ① 一二三 ٣ 1st 2nd", "0xDEADBEEF 0b1010 1e-9", "+1 (555) 010-9999", " 1 2  3",
]  # fmt: skip
SPECIAL = [
    "<|im_start|>user\nhi<|im_end|>\n", "<|endoftext|>", "a<|endoftext|>b", "<start_of_turn>model",
    "<bos><eos><pad><unk><mask>", "<|im_start|<|im_start|>", "</s><s>[INST] x [/INST]", "<0x0A>",
    "<repo_name><file_sep> <empty_output>", "<unused0><unused99>", "<table><tr><td>x</td></tr>",
    "▁▁a▁b", "ĠaĊ Ã©", "<b>bold</b></caption><h1>",
]  # fmt: skip
KINDS = [CODE, PROSE, SCRIPTS, EMOJI, SPACES, CONTROL, DIGITS, SPECIAL]
RUNS = " \n\t-=.#*_aA0가/▁é\u200d😀"


def corpus() -> list[str]:
    """The strings: each sample, runs of one character, and random mixtures."""
    rng = random.Random(20240229)
    samples = [sample for kind in KINDS for sample in kind]
    strings = ["", *samples]
    for char in RUNS:
        strings += [char * length for length in (1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 32, 33, 100)]
        strings += [f"x{char * length}y" for length in (2, 3, 6, 17, 40)]
    for _ in range(500):
        strings.append("".join(_cut(rng, rng.choice(rng.choice(KINDS))) for _ in range(4)))
    for _ in range(150):
        strings.append("".join(rng.choice(RUNS) * rng.randint(1, 9) for _ in range(8)))
    for _ in range(200):
        strings.append("".join(chr(_code_point(rng)) for _ in range(rng.randint(1, 20))))
    return strings


def _cut(rng: random.Random, sample: str) -> str:
    start = rng.randrange(len(sample))
    return sample[start : start + rng.randint(1, 25)]


def _code_point(rng: random.Random) -> int:
    """A character of the planes that text uses; unassigned ones change class with Unicode."""
    while True:
        low, high = rng.choice([(0, 0x250), (0x370, 0x2000), (0x2000, 0xD800), (0x1F300, 0x1FB00)])
        code_point = rng.randrange(low, high)
        if unicodedata.category(chr(code_point)) != "Cn":
            return code_point
