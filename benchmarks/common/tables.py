"""Tables and the picture of a result of `speed/peers.py`, put where the documents have them.

    python -m benchmarks.common.tables results/2026-01-31-1200-peers.json

In README.md, README.ko.md and docs/performance.md, what stands between `<!-- peers -->` and
`<!-- /peers -->` is written anew, and names the result; the picture is results/peers.svg. A test
makes them anew and compares.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.common.bars import peers_svg
from benchmarks.common.harness import RESULTS, ROOT

PICTURE = RESULTS / "peers.svg"
OURS, LLAMA_CPP = "foretell", "llama.cpp"
LESS_IS_BETTER = {  # what is measured of whole processes
    "start": "process start to first token",
    "load": "load",
    "memory": "peak memory",
    "shell": "shell prompt to first text",
}
KOREAN = {
    "foretell over llama.cpp": "foretell ÷ llama.cpp",
    "best of the others": "나머지 중 가장 나은 것",
    "process start to first token": "프로세스 시작부터 첫 토큰까지",
    "shell prompt to first text": "셸에서 첫 글자까지",
    "decode at 4,000 positions": "위치 4,000에서 디코드",
    "decode, sampled": "디코드, 샘플링",
    "prefill, 512 tokens": "프리필, 512 토큰",
    "prefill, 2,048 tokens": "프리필, 2,048 토큰",
    "8 sequences": "시퀀스 8개",
    "32 sequences": "시퀀스 32개",
    "5 beams": "빔 5개",
    "peak memory": "최대 메모리",
    "decode": "디코드",
    "load": "적재",
    "shape": "형태",
    "threads": "스레드",
    "commit": "커밋",
    "tokens/s": "토큰/초",
    " to ": " ~ ",
}

Result = dict[str, Any]
Figures = dict[str, Any]


def figure(kind: str, value: float) -> str:
    """A figure with its unit, as precise as it deserves."""
    if kind == "memory":
        return f"{value / 1e6:,.0f} MB"
    if kind in LESS_IS_BETTER:
        return f"{value:.2f} s"
    return f"{number(value)} tokens/s"


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(one: Figures) -> str:
    """By how much foretell is better, with the range."""
    found = one.get("foretell_over_it")
    if not found:
        return "–"
    low, high = (f"{found[key]:.2f}" for key in ("min", "max"))
    return f"{found['median']:.2f} × ({low} to {high})"


def kinds(result: Result, model: Figures) -> Iterator[tuple[str, str, Figures]]:
    """Each kind of work of a model: its key, title, and engines' figures."""
    titles = result["works"] | LESS_IS_BETTER
    for kind, engines in model["works"].items():
        if "median" in engines.get(OURS, {}):
            yield kind, titles[kind], engines


def best_other(kind: str, engines: Figures) -> str:
    """The best of the peers other than llama.cpp's two builds, by name and figure."""
    found = {
        name: one["median"]
        for name, one in engines.items()
        if "median" in one and not name.startswith((OURS, LLAMA_CPP))
    }
    if not found:
        return "–"
    choose = min if kind in LESS_IS_BETTER else max
    name = choose(found, key=lambda one: found[one])
    return f"{name}: {figure(kind, found[name])}"


def origin(result: Result, file: str, folder: str) -> str:
    """Date, commit and file of a result; `folder`: where a document has benchmarks/results."""
    day, commit = result["date"][:10], result["commit"][:9]
    return f"{day}, commit `{commit}`: [`{file}`]({folder}/{file})"


def summary(result: Result, file: str) -> str:
    """One table of all models: foretell, llama.cpp, and the best of the others."""
    about = f"{result['machine']['cpu']}, {result['threads']} threads"
    lines = [
        "![](benchmarks/results/peers.svg)",
        "",
        f"{about}, {origin(result, file, 'benchmarks/results')}",
        "",
        "| | foretell | llama.cpp | foretell over llama.cpp | best of the others |",
        "|---|--:|--:|--:|--:|",
    ]
    for model in result["models"].values():
        for kind, title, engines in kinds(result, model):
            if kind == "load":
                continue
            ours, its = engines[OURS], engines.get(LLAMA_CPP, {})
            theirs = figure(kind, its["median"]) if "median" in its else "–"
            row = [f"{model['title']}: {title}", figure(kind, ours["median"]), theirs]
            lines.append(f"| {' | '.join([*row, ratio(its), best_other(kind, engines)])} |")
    return "\n".join(lines) + "\n"


def korean(text: str) -> str:
    """The summary for README.ko.md: the same figures in the same order."""
    for english, word in KOREAN.items():
        text = text.replace(english, word)
    return text


def whole(result: Result, file: str) -> str:
    """Every figure of every engine, model by model, and the reasons for those that are missing."""
    machine = result["machine"]
    sets = ", ".join(machine.get("isa", []))
    parts = [
        f"{machine['cpu']} ({sets}), {result['threads']} threads, up to {result['rounds']} rounds, "
        f"{origin(result, file, '../benchmarks/results')}",
        "",
        "![](../benchmarks/results/peers.svg)",
        "",
    ]
    for model in result["models"].values():
        size = model["bytes"] / 1e6
        parts += [f"### {model['title']} ({size:,.0f} MB)", "", *_table(result, model), ""]
        parts += [*_bandwidth(model), *_reasons(result, model)]
    return "\n".join([*parts, *_settings(result)]).rstrip() + "\n"


def _table(result: Result, model: Figures) -> Iterator[str]:
    """Rows are works, columns are engines that did any of them."""
    found = [*kinds(result, model)]
    names = [
        name
        for name in dict.fromkeys(name for _, _, engines in found for name in engines)
        if any("median" in engines.get(name, {}) for _, _, engines in found)
    ]
    yield f"| | {' | '.join(names)} |"
    yield f"|---|{'--:|' * len(names)}"
    for kind, title, engines in found:
        unit = figure(kind, 1.0).partition(" ")[2]
        cells = [_cell(kind, engines.get(name, {})) for name in names]
        yield f"| {title}, {unit} | {' | '.join(cells)} |"


def _cell(kind: str, one: Figures) -> str:
    if "median" not in one:
        return "–"
    middle, low, high = (
        figure(kind, one[key]).partition(" ")[0] for key in ("median", "min", "max")
    )
    return f"**{middle}** {low}–{high}" if len(one["all"]) > 1 else f"**{middle}**"


def _bandwidth(model: Figures) -> Iterator[str]:
    shares = model.get("of_the_file")
    if not shares:
        return
    speed = shares["bandwidth_bytes_per_second"]["max"] / 1e9
    yield f"Bytes of the file a second while decoding (memory read alone: {speed:.1f} GB/s):"
    found = [
        f"{name} {one['bytes_per_second']['median'] / 1e9:.1f} GB/s, "
        f"{one['bandwidth_share']['median']:.0%}"
        for name, one in shares.items()
        if "bandwidth_share" in one
    ]
    yield "; ".join(found) + "."
    yield ""


def _reasons(result: Result, model: Figures) -> Iterator[str]:
    """Why an engine has no figure, or ended early: once for all works, or work by work."""
    titles = result["works"] | LESS_IS_BETTER
    found: dict[tuple[str, str], list[str]] = {}
    for kind, engines in model["works"].items():
        for name, one in engines.items():
            if "reason" in one:
                title = f"{titles[kind]}{_after(one)}"
                found.setdefault((name, one["reason"]), []).append(title)
    for (name, reason), works in found.items():
        where = "all" if len(works) == len(model["works"]) else ", ".join(works)
        yield f"- {name} ({where}): {reason}"
    if found:
        yield ""


def _after(one: Figures) -> str:
    """After how many rounds an engine ended, if it had any."""
    rounds = len(one.get("all", []))
    return f", after {rounds} round{'s' if rounds > 1 else ''}" if rounds else ""


def _settings(result: Result) -> Iterator[str]:
    """What each engine says of itself."""
    told: dict[str, Any] = {}
    for model in result["models"].values():
        for name, info in model["engines"].items():
            told.setdefault(name, info)
    hidden = {"name", "load_seconds", "description", "weight_bytes", "kv_bytes_per_token"}
    yield "Versions and settings:"
    yield ""
    for name, info in told.items():
        facts = [f"{key} {_plain(value)}" for key, value in info.items() if key not in hidden]
        yield f"- {name}: {', '.join(facts)}"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_plain(one)}" for key, one in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def marked(mark: str) -> re.Pattern[str]:
    """The marks of that name, and what stands between them."""
    return re.compile(rf"(<!-- {mark} -->\n)(.*?)(<!-- /{mark} -->)", re.DOTALL)


def put(path: Path, text: str, mark: str = "peers") -> None:
    """Write a text between the marks of that name in a document."""
    document = path.read_text(encoding="utf-8")
    if not marked(mark).search(document):
        raise SystemExit(f"{path.name} has no <!-- {mark} --> and <!-- /{mark} -->")
    written = marked(mark).sub(lambda found: f"{found[1]}{text}{found[3]}", document)
    path.write_text(written, encoding="utf-8")
    print(f"written: {path}")


DOCUMENTS: dict[str, Callable[[Result, str], str]] = {
    "README.md": summary,
    "README.ko.md": lambda result, file: korean(summary(result, file)),
    "docs/performance.md": whole,
}


def main() -> None:
    """Put the tables of a result where they belong."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    path = Path(sys.argv[1]).resolve()
    if path.parent != RESULTS:
        raise SystemExit(f"{path}: documents show results of {RESULTS.relative_to(ROOT)} only")
    result = json.loads(path.read_text(encoding="utf-8"))
    PICTURE.write_text(peers_svg(result), encoding="utf-8")
    print(f"written: {PICTURE}")
    for name, render in DOCUMENTS.items():
        put(ROOT / name, render(result, path.name))


if __name__ == "__main__":
    main()
