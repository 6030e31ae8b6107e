"""What vLLM's own functions make of random rows: values for the dialect's tests.

usage: python -m benchmarks.oracles.dialects_vllm SITE_PACKAGES OUT.json   (torch, vLLM's files)

vLLM itself runs on GPUs; its torch functions are taken out of its files and called in the order of
its sampler: penalties, temperature, min-p, then top-k and top-p.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

VOCAB = 48
FUNCTIONS = {
    "v1/sample/ops/topk_topp_sampler.py": ["apply_top_k_top_p_pytorch", "apply_top_k_only"],
    "model_executor/layers/utils.py": ["get_token_bin_counts_and_mask"],
    "_custom_ops.py": ["apply_repetition_penalties_torch"],
    "v1/sample/logits_processor/builtin.py": ["MinPLogitsProcessor.apply"],
}
SETTINGS: list[dict[str, Any]] = [
    {"top_k": 5},
    {"top_p": 0.7},
    {"min_p": 0.2},
    {"temperature": 0.5, "top_p": 0.7},
    {"temperature": 2.0, "min_p": 0.1},
    {"temperature": 1.5, "top_k": 10, "top_p": 0.8, "min_p": 0.05},
    {"repetition_penalty": 1.3},
    {"frequency_penalty": 0.7},
    {"presence_penalty": 1.1},
    {"repetition_penalty": 1.2, "frequency_penalty": 0.5, "presence_penalty": 0.4, "top_p": 0.9},
]


def functions_of(root: Path) -> SimpleNamespace:
    """The named functions, each compiled by itself."""
    found: dict[str, Any] = {"torch": torch}
    for path, names in FUNCTIONS.items():
        tree = ast.parse((root / path).read_text())
        for name in names:
            body: Any = tree.body
            for part in name.split("."):
                node = next(item for item in body if getattr(item, "name", None) == part)
                body = node.body
            module = ast.Module([node], type_ignores=[])
            exec(compile(module, path, "exec"), found)
    return SimpleNamespace(**found)


def run(vllm: SimpleNamespace, row: Any, prompt: list[int], output: list[int], case: Any) -> Any:
    """One row through vLLM's order."""
    logits = row.clone()[None]
    _, in_prompt = vllm.get_token_bin_counts_and_mask(torch.tensor([prompt]), VOCAB, 1)
    counts, in_output = vllm.get_token_bin_counts_and_mask(torch.tensor([output]), VOCAB, 1)
    penalty = torch.tensor([case.get("repetition_penalty", 1.0)])
    vllm.apply_repetition_penalties_torch(logits, in_prompt, in_output, penalty)
    logits -= case.get("frequency_penalty", 0.0) * counts
    logits -= case.get("presence_penalty", 0.0) * in_output
    logits /= case.get("temperature", 1.0)
    if "min_p" in case:
        state = SimpleNamespace(min_p_count=1, min_p=torch.tensor([[case["min_p"]]]))
        logits = vllm.apply(state, logits)
    k = torch.tensor([case["top_k"]]) if "top_k" in case else None
    p = torch.tensor([case["top_p"]]) if "top_p" in case else None
    return vllm.apply_top_k_top_p_pytorch(logits, k, p)[0]


def main() -> None:
    """Run every case on rows of its own and write the file."""
    site, out = sys.argv[1:]
    vllm = functions_of(Path(site) / "vllm")
    torch.manual_seed(0)
    cases = []
    for case in SETTINGS * 3:
        row = torch.randn(VOCAB) * 3
        row[7] = row[11] = row[13]  # a tie
        prompt, output = torch.randint(0, VOCAB, (2, 12)).tolist()
        left = run(vllm, row, prompt, output, case)
        values = [None if value == -torch.inf else value for value in left.tolist()]
        cases.append(
            {"row": row.tolist(), "prompt": prompt, "output": output, "settings": case}
            | {"left": values}
        )
    Path(out).write_text(json.dumps({"vllm": "0.33.0", "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
