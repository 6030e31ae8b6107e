"""What the documents say of speed is written from a result: tables, picture, and their marks."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.common.bars import peers_svg
from benchmarks.common.harness import RESULTS
from benchmarks.common.tables import (
    DOCUMENTS,
    LESS_IS_BETTER,
    PICTURE,
    korean,
    marked,
    put,
    summary,
    whole,
)
from benchmarks.speed.peer_plan import WORKS
from benchmarks.speed.token_time import kind_of

ROOT = Path(__file__).parents[2]


def spread(*values: float) -> dict:
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2]
    return {"median": middle, "min": ordered[0], "max": ordered[-1], "all": list(values)}


def beside(values: list[float], *ratios: float) -> dict:
    return spread(*values) | {"foretell_over_it": spread(*ratios)}


FILE = "2026-01-31-1200-peers.json"
RESULT = {
    "machine": {"cpu": "A processor", "isa": ["avx2"]},
    "threads": 2,
    "rounds": 3,
    "date": "2026-01-31T12:00:00+00:00",
    "commit": "0123456789abcdef",
    "works": {"decode": "decode", "many-8": "8 sequences"},
    "models": {
        "small": {
            "title": "Small 1B, Q4_1",
            "bytes": 98_000_000,
            "engines": {
                "foretell": {"name": "foretell", "version": "1"},
                "llama.cpp": {"name": "llama.cpp", "settings": {"flash_attn": True}},
            },
            "of_the_file": {
                "bandwidth_bytes_per_second": spread(40e9),
                "foretell": {
                    "bytes_per_second": spread(30e9),
                    "bandwidth_share": spread(0.75),
                },
            },
            "works": {
                "decode": {
                    "foretell": spread(300, 310, 320),
                    "llama.cpp": beside([100, 103, 106], 2.9, 3.0, 3.1),
                    "Other <engine>": beside([150], 2.0) | {"reason": "it ended"},
                },
                "many-8": {"foretell": spread(1200), "llama.cpp": {"reason": "it has none"}},
                "memory": {"foretell": spread(200e6), "llama.cpp": beside([300e6], 1.5)},
            },
        }
    },
}


def test_the_summary_has_foretell_its_ratio_and_the_best_of_the_others():
    rows = [line for line in summary(RESULT, FILE).splitlines() if line.startswith("| Small")]
    assert rows[0] == (
        "| Small 1B, Q4_1: decode | 310 tokens/s | 103 tokens/s | 3.00 × (2.90 to 3.10) "
        "| Other <engine>: 150 tokens/s |"
    )
    assert rows[1] == "| Small 1B, Q4_1: 8 sequences | 1,200 tokens/s | – | – | – |"
    assert (
        rows[2] == "| Small 1B, Q4_1: peak memory | 200 MB | 300 MB | 1.50 × (1.50 to 1.50) | – |"
    )


def test_the_korean_summary_has_the_same_figures():
    def figures(text: str) -> list[list[str]]:
        return [re.findall(r"\d[\d.,]*", line) for line in text.splitlines()]

    assert figures(korean(summary(RESULT, FILE))) == figures(summary(RESULT, FILE))
    assert "디코드" in korean(summary(RESULT, FILE))


@pytest.mark.parametrize(
    "title", [*(work.title for work in WORKS.values()), *LESS_IS_BETTER.values()]
)
def test_each_title_has_a_korean_one(title: str):
    """A whole one: no shorter title within it is put into Korean first."""
    assert not re.search("[a-z]", korean(title))


def test_the_whole_table_names_what_is_missing_and_why():
    text = whole(RESULT, FILE)
    assert "- llama.cpp (8 sequences): it has none" in text
    assert "- Other <engine> (decode, after 1 round): it ended" in text
    assert "| decode, tokens/s | **310** 300–320 | **103** 100–106 | **150** |" in text
    assert "(memory read alone: 40.0 GB/s)" in text
    assert "foretell 30.0 GB/s, 75%" in text


def test_the_picture_is_well_formed_and_shows_every_engine():
    root = ET.fromstring(peers_svg(RESULT))
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert {"foretell", "llama.cpp", "Other <engine>", "Small 1B, Q4_1: decode"} <= set(texts)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_has_the_place_for_them(name: str, tmp_path: Path):
    copy = tmp_path / "document.md"
    copy.write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    put(copy, "new\n")
    once = copy.read_text(encoding="utf-8")
    put(copy, "new\n")
    assert "<!-- peers -->\nnew\n<!-- /peers -->" in once
    assert copy.read_text(encoding="utf-8") == once


def test_a_document_without_the_place_is_told(tmp_path: Path):
    document = tmp_path / "document.md"
    document.write_text("nothing\n")
    with pytest.raises(SystemExit, match="has no <!-- peers -->"):
        put(document, "new\n")


def shown_in(name: str) -> str:
    """What a document has between the marks."""
    found = marked("peers").search((ROOT / name).read_text(encoding="utf-8"))
    assert found, name
    return found[2]


def test_all_documents_show_the_same_result_which_is_here():
    links = {name: re.findall(r"\(\S*results/(\S+\.json)\)", shown_in(name)) for name in DOCUMENTS}
    [file] = {file for files in links.values() for file in files}
    assert links == {name: [file] for name in DOCUMENTS}
    result = json.loads((RESULTS / file).read_text(encoding="utf-8"))
    assert result["benchmark"] == "peers"
    for name, render in DOCUMENTS.items():
        text = shown_in(name)
        assert f"{result['date'][:10]}, " in text, name
        assert f"`{result['commit'][:9]}`" in text, name
        assert text == render(result, file), name
    assert PICTURE.read_text(encoding="utf-8") == peers_svg(result)


KERNEL = "_core.cpython.so: foretell::(anonymous namespace)::"
SYMBOLS = {
    "_sampling.cpython.so: foretell::(anonymous namespace)::rms_norm": "choosing the token",
    f"{KERNEL}score_rows<(foretell::KvType)1, 4>": "attention",
    f"{KERNEL}sum_lines<4, 1>": "attention",
    f"{KERNEL}QueryRows::join_chunk": "attention",
    f"{KERNEL}store_kv": "attention",
    f"{KERNEL}int8_columns<foretell::Format{{(foretell::Codes)0}}, 1>": "products with weights",
    "_core.cpython.so: foretell::Program::linear": "products with weights",
    f"{KERNEL}rms_norm": "norms, RoPE, activations",
    f"{KERNEL}quantize": "norms, RoPE, activations",
    f"{KERNEL}each_piece<foretell::Program::rope(foretell::Op const&, int)::{{lambda}}>": (
        "norms, RoPE, activations"
    ),
    f"{KERNEL}exp_lanes": "other kernels",
    "_core.cpython.so: foretell::Team::barrier": "other kernels",
    "_core.cpython.so: pybind11::detail::argument_loader<foretell::Program&>": "Python",
    "libpython3.11.so: _PyEval_EvalFrameDefault": "Python",
    "[kernel.kallsyms]: clear_page": "the rest: system, memory",
}


@pytest.mark.parametrize(("symbol", "kind"), SYMBOLS.items())
def test_a_function_is_counted_where_it_belongs(symbol: str, kind: str):
    assert kind_of(symbol) == kind
