"""Where a token's time goes: a process of foretell under Linux's `perf`, its samples by kind.

    make profile

It runs with one thread, in which no thread waits for another, and with the extensions of
build/profile, whose functions still have their names. The result is a table for
docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common.harness import ROOT, machine
from benchmarks.common.tables import put

BUILT = ROOT / "build" / "profile"
DOCUMENT = ROOT / "docs" / "performance.md"
KERNELS = ROOT / "csrc" / "kernels"
DEFINITION = re.compile(r"^(?:[\w:]+[*&]? )+(\w+)\(", re.MULTILINE)  # of a function


def functions_in(*files: str) -> str:
    """A pattern of the functions that some files of csrc/kernels define."""
    texts = (path.read_text(encoding="utf-8") for one in files for path in KERNELS.glob(one))
    names = {name for text in texts for name in DEFINITION.findall(text)}
    return rf"::(?:{'|'.join(sorted(names))})\b"


SMALL = r"norm|rotate|rope|silu|gelu|embed|decode_row|quantize_part|::quantize(?:_group)?\b"
ATTENTION = functions_in("attention*_impl.h", "kv_*_impl.h") + r"|QueryRows::|join_chunk"
PRODUCTS = functions_in("linear_impl.h") + r"|::linear\b"
KINDS = {  # the first whose pattern is in "library: symbol"
    "choosing the token": r"^_sampling",
    "attention": rf"^_core.*(?:{ATTENTION})",
    "norms, RoPE, activations": rf"^_core.*(?:{SMALL})",
    "products with weights": rf"^_core.*(?:{PRODUCTS})",
    "other kernels": r"^_core(?!.*pybind11).*foretell::",
    "Python": r"^libpython|^python|^_core|^_multiarray|^_umath|^tokenizers|abi3",
}
OTHER = "the rest: system, memory"
WORKS = {
    "decode": ("decode, short prompt", 400),
    "sampled": ("decode, sampled", 400),
    "long": ("decode at 4,000 positions", 100),
    "prefill": ("prefill, 512 tokens", 12),
}


def child(work: str, model: str, log: str) -> None:
    """Do one work with the extensions of build/profile, sampled while it goes on."""
    load_extensions()
    from foretell import LLM

    llm = LLM(model, threads=1, prefix_caching=True, speculation=None)
    ids = llm.tokenizer.encode(" the cat sat on a mat and said that it was fine" * 400)
    count = WORKS[work][1]
    settings: dict[str, object] = {"max_new_tokens": count, "ignore_eos": True}
    prompts = [ids[:16]]
    if work == "sampled":
        settings |= {"temperature": 0.8, "top_k": 50, "top_p": 0.95, "seed": 1}
    elif work == "long":
        prompts = [ids[:4000]]
        llm.generate(prompts[0], max_new_tokens=1)  # the next call finds it in the prefix cache
    elif work == "prefill":
        settings["max_new_tokens"] = 1
        prompts = [ids[start : start + 512] for start in range(count)]
    else:
        llm.generate(prompts[0], max_new_tokens=8)
    command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "997", "-o", log]
    perf = subprocess.Popen([*command, "-p", str(os.getpid())])
    for prompt in prompts:
        llm.generate(prompt, **settings)  # type: ignore[arg-type]
    perf.terminate()
    perf.wait()


def load_extensions() -> None:
    """Take the extensions of build/profile for foretell's own."""
    import importlib.machinery
    import importlib.util

    places = {"_core": "foretell.backends.native", "_sampling": "foretell.decoding.fused"}
    for name, package in places.items():
        [path] = BUILT.glob(f"{name}*.so")
        full = f"{package}.{name}"
        loader = importlib.machinery.ExtensionFileLoader(full, str(path))
        spec = importlib.util.spec_from_file_location(full, path, loader=loader)
        assert spec
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        sys.modules[full] = module


def samples(log: str) -> Iterator[str]:
    """Each sample's library and symbol."""
    command = ["perf", "script", "-i", log, "-F", "ip,sym,dso"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        found = re.match(r"\s*[0-9a-f]+ (.*) \((.*)\)\s*$", line)
        if found:
            yield f"{Path(found[2]).name}: {found[1]}"


def kind_of(sample: str) -> str:
    """What a sample's function does."""
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, sample)), OTHER)


def measure(python: str, work: str, model: str, *, shows_symbols: bool) -> Counter[str]:
    """Samples of one work by kind."""
    with tempfile.TemporaryDirectory() as folder:
        log = str(Path(folder) / "perf.data")
        command = [python, "-m", "benchmarks.speed.token_time", "--child", work, log, model]
        subprocess.run(command, cwd=ROOT, check=True)
        found = list(samples(log))
    if shows_symbols:
        for sample, count in Counter(found).most_common(40):
            print(f"{count / len(found):7.1%}  {kind_of(sample):<28} {sample[:100]}")
    return Counter(map(kind_of, found))


def table(titles: list[str], found: dict[str, list[Counter[str]]]) -> str:
    """Shares of time as Markdown: rows are works of models, columns are kinds."""
    names = [*KINDS, OTHER]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'--:|' * len(names)}"]
    for row, title in enumerate(titles):
        for work, counts in found.items():
            shares = [f"{counts[row][kind] / counts[row].total():.1%}" for kind in names]
            lines.append(f"| {title}: {WORKS[work][0]} | {' | '.join(shares)} |")
    return "\n".join([f"{machine()['cpu']}, one thread.", "", *lines, ""])


def main() -> None:
    """Measure, and put the table into the document."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[4], sys.argv[3])
        return
    parser = argparse.ArgumentParser(description="where a token's time goes")
    parser.add_argument("models", nargs="+", help="GGUF files, with a title before: title=path")
    parser.add_argument("--works", nargs="+", choices=[*WORKS], default=[*WORKS])
    parser.add_argument("--symbols", action="store_true", help="show the functions too")
    parser.add_argument("--write", action="store_true", help=f"into {DOCUMENT.name}")
    arguments = parser.parse_intermixed_args()
    titles, paths = zip(*(one.split("=", 1) for one in arguments.models), strict=True)
    found: dict[str, list[Counter[str]]] = {
        work: [
            measure(sys.executable, work, path, shows_symbols=arguments.symbols) for path in paths
        ]
        for work in arguments.works
    }
    text = table(list(titles), found)
    print(text)
    if arguments.write:
        put(DOCUMENT, text, "profile")


if __name__ == "__main__":
    main()
