"""Receipts of all kinds, replayed by fresh processes on other threads and instruction sets.

    .venv/bin/python -m benchmarks.stress.replay MODEL.gguf --receipts 200 --isas avx2

Texts of all kinds are written here: greedy and by every sampler, several of a prompt, beams of all
strategies, contrastive search, DoLa, forms, stops, healed prompts, watermarks, guidance, chats,
choices, gaps where the model has tokens for them. Each has its receipt, which goes to a file. Then
`foretell replay` makes them again: with one thread on each of the instruction sets, where all must
be identical; and with a model in which one weight was changed, where it must name what differs.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.common.harness import options, write_result
from foretell import LLM, Receipt
from foretell.formats.gguf import GGUFFile
from foretell.receipts import save_receipts

PROMPTS = (
    "The cat sat on the",
    "Once upon a time there was a king who",
    "def add(a, b):\n    return",
    "Dear Anna, I write to you because",
    "1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5,",
)
SCHEMA = {
    "type": "object",
    "properties": {"name": {"enum": ["Oslo", "Rome"]}, "size": {"type": "integer"}},
    "required": ["name", "size"],
}
KINDS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "temperature": {"temperature": 0.9},
    "top-k, top-p": {"temperature": 1.2, "top_k": 40, "top_p": 0.9, "logprobs": 3},
    "penalties": {"temperature": 1.0, "repetition_penalty": 1.2, "presence_penalty": 0.3},
    "mirostat": {"mirostat": 2},
    "dry, xtc": {"temperature": 1.0, "dry_multiplier": 0.8, "xtc_probability": 0.5},
    "typical": {"typical_p": 0.8, "logprobs": 2, "logprobs_stage": "final"},
    "llama.cpp": {"dialect": "llama.cpp", "temperature": 0.8},
    "preset": {"preset": "creative"},
    "biases": {"temperature": 0.8, "logit_bias": {" the": -3.0}, "bad_words": [" a"]},
    "samples": {"temperature": 1.1, "num_return_sequences": 3},
    "beams": {"num_beams": 4, "num_return_sequences": 2, "logprobs": 2},
    "sampled beams": {"num_beams": 3, "do_sample": True, "temperature": 1.2},
    "diverse beams": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    "constrained beams": {"num_beams": 3, "force_words": [" dog"]},
    "stochastic beams": {"num_beams": 3, "stochastic_beams": True, "num_return_sequences": 2},
    "contrastive": {"penalty_alpha": 0.6, "top_k": 4},
    "DoLa": {"dola_layers": "high", "logprobs": 1},
    "guidance": {"guidance_scale": 1.5, "negative_prompt": "A sad text:", "temperature": 0.7},
    "json schema": {"json_schema": SCHEMA, "temperature": 1.0, "max_new_tokens": 40},
    "regex": {"regex": "[a-z ]{5,20}\\.", "temperature": 1.0},
    "grammar": {"grammar": 'root ::= ("ab" | "cd")+ "."', "temperature": 1.0},
    "choices": {"choices": [" mat", " table", " roof of the house"]},
    "stops": {"stop": [".", ","], "temperature": 1.0, "max_new_tokens": 40},
    "healed": {"token_healing": True, "temperature": 0.8},
    "watermark": {"watermark": True, "temperature": 1.0},
    "time": {"max_time": 0.05, "temperature": 1.0, "max_new_tokens": 200},
    "unguessed": {"speculate": False, "repetition_detection": True, "max_new_tokens": 40},
}


def main() -> None:
    """Write, replay, and write the result; exit code 1 unless all is as it must be."""
    parser = options(__doc__.splitlines()[0], has_peers=False)
    parser.add_argument("--receipts", type=int, default=200, help="how many (default 200)")
    parser.add_argument(
        "--isas", default="avx2", help="instruction sets of the replays (default avx2)"
    )
    parser.add_argument("--changed", type=int, default=40, help="for the other model (default 40)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "receipts.json"
        made = _write(arguments.model, arguments.threads, arguments.receipts, file)
        replays = {isa: _replay(file, arguments.model, isa) for isa in arguments.isas.split(",")}
        changed, what = _change_one_weight(Path(arguments.model), Path(folder))
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(lines[: arguments.changed]))
        replays["one weight changed"] = _replay(file, changed, "")
    result = {**made, "replays": {name: _count(found) for name, found in replays.items()}}
    result["changed_weight"] = what
    result["example"] = next(_differing(replays["one weight changed"]), None)
    write_result("replay", arguments, result)
    print(f"{'one weight changed':<20} {_count(replays['one weight changed'])}")
    print(json.dumps(result["example"], ensure_ascii=False)[:500])
    *same, other = result["replays"].values()
    good = all(one["identical"] == made["receipts"] for one in same) and other["token"] > 0
    sys.exit(0 if good else 1)


def _write(model: str, threads: int, number: int, file: Path) -> dict[str, Any]:
    start = time.perf_counter()
    with LLM(model, threads=threads) as llm:
        found = list(islice(_receipts(llm), number))
    save_receipts([receipt for _, receipt in found], file)
    return {
        "receipts": len(found),
        "kinds": dict(Counter(kind for kind, _ in found)),
        "tokens": sum(len(receipt.token_ids) for _, receipt in found),
        "bytes": file.stat().st_size,
        "seconds": time.perf_counter() - start,
    }


def _receipts(llm: LLM) -> Iterator[tuple[str, Receipt]]:
    """Receipts without end, of all kinds in turn."""
    round_number = 0
    while True:
        prompt = PROMPTS[round_number % len(PROMPTS)]
        for kind, settings in KINDS.items():
            found: Any = llm.generate(prompt, **{"max_new_tokens": 12, **settings})
            for output in found if isinstance(found, list) else [found]:
                yield kind, output.receipt
        messages = [{"role": "user", "content": f"Go on: {prompt}"}]
        yield "chat", llm.chat(messages, temperature=0.8, max_new_tokens=12).receipt
        best = llm.choose(prompt, num_return_sequences=3, temperature=1.0, max_new_tokens=8).best
        yield "choice", best.output.receipt
        if llm.tokenizer.infill_marks is not None:
            yield "gap", llm.infill(prompt, " and so on.", max_new_tokens=12).receipt  # type: ignore[union-attr]
        round_number += 1


def _replay(file: Path, model: Path | str, isa: str) -> list[dict[str, Any]]:
    """What `foretell replay` says, in a process of its own."""
    command = [sys.executable, "-m", "foretell", "replay", str(file), "--model", str(model)]
    environment = {**os.environ, **({"FORETELL_ISA": isa} if isa else {})}
    told = subprocess.run(
        [*command, "--threads", "1", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if not told.stdout:
        raise SystemExit(told.stderr)
    return json.loads(told.stdout)  # type: ignore[no-any-return]


def _count(found: list[dict[str, Any]]) -> dict[str, int]:
    """How many are identical, and what differs first in the others."""
    kinds = Counter(one["difference"]["kind"] for one in found if one["difference"])
    return {"identical": sum(one["identical"] for one in found), "token": 0, **kinds}


def _differing(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in found:
        if one["difference"] and one["difference"]["kind"] == "token":
            yield {"changed": one["changed"], "difference": one["difference"]}


def _change_one_weight(model: Path, folder: Path) -> tuple[Path, str]:
    """A copy of the model with one float of a norm changed; and which."""
    with GGUFFile.open(model) as file:
        name = "blk.0.attn_norm.weight"
        place = file.tensors[name]
        position = place.offset
    data = bytearray(model.read_bytes())
    (before,) = struct.unpack_from("<f", data, position)
    after = before * 8 + 1
    struct.pack_into("<f", data, position, after)
    path = folder / "changed.gguf"
    path.write_bytes(data)
    return path, f"{name}[0]: {before:.4f} → {after:.4f}"


if __name__ == "__main__":
    main()
