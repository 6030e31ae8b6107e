"""Published tokenizers on a thousand strings: foretell's ids beside those of their own libraries.

    python -m benchmarks.oracles.real_tokenizers FOLDER

Below the folder it looks for `tokenizer.json` (judged by `transformers`), `tokenizer.model*` and
`*.model.v*` (by `sentencepiece`), and `tekken*.json` (by `mistral-common`). A line for each says
how many strings have the same ids, and the first that has not. The exit code is 1 if any ids
differ, or a file is refused. `make real-tokenizers` fetches the files and runs it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from foretell.errors import ForetellError
from foretell.text.tokenizer import Tokenizer

COUNT = 1_000
EXPLAINED = {
    "internlm2": "its tokenizer.json leaves out the marks of chats, and transformers then numbers "
    "them past the model's rows",
}
PIECES = (
    *(
        "Hello, world!",
        "  two  spaces",
        "\n\nnew\r\nlines\t",
        "안녕하세요 세계",
        "日本語のテキスト",
    ),
    *("naïve café", "👩‍👩‍👧 emoji 🎉", "for i in range(10): print(i**2)", "1234567 3.14", "हिन्दी"),
    *(
        "مرحبا بالعالم",
        "don't can't I'LL",
        "<s> </s> [INST] <unk>",
        "\u00a0nbsp\u200bzw",
        "ＦＵＬＬ",
    ),
    *("e\u0301 combining", "ß ﬁ", "\x00\x01", "A" * 50, " " * 20, "CamelCaseWords HTTPServer"),
    *(
        "\\n \\t",
        "▁under▁",
        "<0x41>",
        "<|endoftext|> <|im_start|>",
        "ไทย ພາສາ",
        "Ελληνικά Кириллица",
    ),
)
RANGES = ((32, 127), (160, 0x3000), (0xAC00, 0xD7A3), (0x1F300, 0x1F6FF), (0x4E00, 0x9FFF))

Encode = Callable[[str], list[int]]


def strings(seed: int = 7) -> list[str]:
    """The strings: of many scripts, spaces and names of special tokens, and random characters."""
    source = random.Random(seed)
    found = ["", *PIECES]
    while len(found) < COUNT:
        found.append(_of_pieces(source) if source.random() < 0.7 else _of_characters(source))
    return found


def _of_pieces(source: random.Random) -> str:
    parts = []
    for _ in range(source.randrange(1, 6)):
        piece = source.choice(PIECES)[source.randrange(8) :][: source.randrange(1, 30)]
        parts += [piece, source.choice(("", " ", "\n"))]
    return "".join(parts)


def _of_characters(source: random.Random) -> str:
    ranges = source.choices(RANGES, k=source.randrange(1, 30))
    return "".join(chr(source.randrange(*limits)) for limits in ranges)


def files_below(folder: Path) -> Iterator[tuple[Path, str, Callable[[Path], Encode]]]:
    """Every tokenizer's file that is known by its name, its usual name, and who judges it."""
    for path in sorted(folder.rglob("*")):
        if path.name == "tokenizer.json":
            yield path, path.name, _by_transformers
        elif path.name.startswith("tokenizer.model") or ".model.v" in path.name:
            yield path, "tokenizer.model", _by_sentencepiece
        elif path.name.startswith("tekken") and path.suffix == ".json":
            yield path, "tekken.json", _by_mistral


def read(path: Path, name: str) -> Tokenizer:
    """The file, with what lies beside it, or alone under its usual name."""
    if path.name == name:
        return Tokenizer.from_folder(path.parent)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / name)
        return Tokenizer.from_folder(Path(folder))


def _by_transformers(path: Path) -> Encode:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(path.parent)
    return lambda text: tokenizer.encode(text, add_special_tokens=False)


def _by_sentencepiece(path: Path) -> Encode:
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return processor.encode


def _by_mistral(path: Path) -> Encode:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    tokenizer = Tekkenizer.from_file(path)
    return lambda text: tokenizer.encode(text, bos=False, eos=False)


def differing(tokenizer: Tokenizer, theirs: Encode, *, reads_names: bool) -> list[str]:
    """The strings whose ids differ."""
    return [
        text
        for text in strings()
        if tokenizer.encode(text, add_special_tokens=False, parse_special=reads_names)
        != theirs(text)
    ]


def judge(path: Path, name: str, judged_by: Callable[[Path], Encode]) -> tuple[bool, str]:
    """Whether all ids are equal, and a line that says so."""
    try:
        tokenizer = read(path, name)
    except ForetellError as error:
        return False, f"refused: {error}"
    reads_names = name == "tokenizer.json"  # as transformers does
    wrong = differing(tokenizer, judged_by(path), reads_names=reads_names)
    equal = f"{COUNT - len(wrong):5} of {COUNT} equal  {path}"
    reason = EXPLAINED.get(path.parent.name)
    return not wrong or bool(reason), equal + (
        f"  {wrong[0]!r}: {reason or 'why?'}" if wrong else ""
    )


def main() -> None:
    """Compare all, and say what differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    right = []
    for found in files_below(folder):
        is_right, line = judge(*found)
        right.append(is_right)
        print(line, flush=True)
    if not right:
        sys.exit(f"no tokenizers below {folder}")
    sys.exit(int(not all(right)))


if __name__ == "__main__":
    main()
