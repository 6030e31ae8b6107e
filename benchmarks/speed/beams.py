"""Beam search: foretell beside transformers, ONNX Runtime GenAI and CTranslate2; and its KV blocks.

    python -m benchmarks.speed.beams MODEL.gguf --threads 2 --rounds 5

Each engine continues one prompt of 16 tokens with 5 beams by 128 tokens; the end-of-sequence token
is banned until then. A round takes a prompt of its own, with every engine in turn. The figure is
tokens of the best text over the wall clock of the whole call, prefill included. The peers have the
file's own weights, dequantized: transformers in bfloat16; ONNX Runtime GenAI in int4 and
CTranslate2 in int8, converted by their own tools with their own defaults. The model in float32 then
scores the texts, to show that every engine searched the same thing.

Then five beams continue a prompt of 1,000 tokens, and one sequence does, each alone in an engine:
the KV blocks that they hold are read in every step, while the backend computes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.common.harness import Peer, options, show, spread, verdict, write_result
from benchmarks.common.texts import prose
from benchmarks.speed.throughput import PAUSE, Prompts

PEERS = {  # peers/, the module that it needs, the ratio that is asked for
    "transformers": ("transformers_generate", "transformers", 5),
    "ONNX Runtime GenAI": ("onnx_genai", "onnxruntime_genai", 3),
    "CTranslate2": ("ctranslate2_int8", "ctranslate2", 5),
}
MOST_BLOCKS = 1.2  # of one sequence's, without what the beams add


class Engines:
    """Every engine in its own process."""

    def __init__(self, stack: ExitStack, arguments: argparse.Namespace, folder: Path) -> None:
        self._arguments = arguments
        common = (arguments.model, arguments.threads)
        python = arguments.foretell_python
        self.foretell = stack.enter_context(Peer("foretell_beams", *common, python=python))
        self._peers = {"foretell": self.foretell}
        for name, (peer, module, _) in PEERS.items():
            if name in arguments.skip:
                continue
            if find_spec(module) is None:
                raise SystemExit(
                    f"{module} is not installed: install benchmarks/requirements.txt, "
                    f"or leave it out with --skip {name!r}"
                )
            extra = () if name == "transformers" else (folder,)
            self._peers[name] = stack.enter_context(Peer(peer, *common, *extra))
        self.info = {name: peer.ask("load") for name, peer in self._peers.items()}
        self._text = self.foretell.ask("tokenize", text=prose().text)["ids"]
        self.prompts = Prompts(self._text, arguments.prompt_tokens)

    def round(self, tokens: int) -> dict[str, dict[str, Any]]:
        """The next prompt, with every engine in turn: its text and tokens per second."""
        [prompt] = self.prompts.take(1)
        return {name: self._turn(peer, prompt, tokens) for name, peer in self._peers.items()}

    def _turn(self, peer: Peer, prompt: list[int], tokens: int) -> dict[str, Any]:
        time.sleep(PAUSE)
        beams = self._arguments.beams
        reply = peer.ask("generate_beams", ids=prompt, num_beams=beams, max_new_tokens=tokens)
        if len(reply["ids"]) != tokens:
            raise SystemExit(f"{peer.name} gave {len(reply['ids'])} tokens, not {tokens}")
        speed = tokens / reply["wall_seconds"]
        return {"prompt": prompt, "ids": reply["ids"], "tokens_per_second": speed}

    def blocks(self, index: int) -> dict[str, Any]:
        """KV blocks of beams over a long prompt, and of one sequence, step by step."""
        arguments = self._arguments
        length = arguments.long_prompt_tokens
        prompt = self._text[index * length : (index + 1) * length]
        common = {"ids": prompt, "max_new_tokens": arguments.tokens}
        beams = self.foretell.ask("kv_blocks", num_beams=arguments.beams, **common)
        one = self.foretell.ask("kv_blocks", num_beams=1, **common)
        return {
            "block_size": beams["block_size"],
            "prompt_blocks": len(prompt) // beams["block_size"],  # full ones, which can be shared
            "beams": beams["blocks"],
            "one": one["blocks"],
        }


def shares(found: dict[str, Any], num_beams: int) -> list[float]:
    """In each step, blocks of the beams over those of one sequence, without what the beams add.

    They add as many blocks for each further beam as the one sequence has behind the full blocks of
    its prompt. What they hold beyond that are copies of the prompt.
    """
    values = []
    for beams, one in zip(found["beams"], found["one"], strict=True):
        own = max(0, one - found["prompt_blocks"])
        values.append((beams - (num_beams - 1) * own) / one)
    return values


def summarize_blocks(runs: list[dict[str, Any]], num_beams: int) -> dict[str, Any]:
    """The most blocks held, plainly and as what was asked for, of all prompts."""
    plain = [max(run["beams"]) / max(run["one"]) for run in runs]
    largest = [max(shares(run, num_beams)) for run in runs]
    name = "KV blocks of beams over one sequence's"
    return {
        "block_size": runs[0]["block_size"],
        "most_of_beams": spread([max(run["beams"]) for run in runs]),
        "most_of_one": spread([max(run["one"]) for run in runs]),
        "beams_over_one": spread(plain),
        "without_added": verdict(f"{name}, less added", spread(largest), most=MOST_BLOCKS),
        "steps": [{"beams": run["beams"], "one": run["one"]} for run in runs],
    }


def summarize(rounds: list[dict[str, dict[str, Any]]], model: Path) -> dict[str, Any]:
    """Speeds by engine, and how likely their texts are by the model in float32."""
    # torch stays out of this process while it measures
    from benchmarks.oracles.reference import load_reference

    reference = load_reference(model)
    return {
        name: {
            "tokens_per_second": spread([one[name]["tokens_per_second"] for one in rounds]),
            "logprob_per_token": spread(
                [logprob_per_token(reference, one[name]) for one in rounds]
            ),
        }
        for name in rounds[0]
    }


def logprob_per_token(reference: Any, found: dict[str, Any]) -> float:
    """Mean log-probability of a text's tokens, those of its prompt left out."""
    import torch

    from benchmarks.oracles.reference import logits

    ids = found["ids"]
    rows = torch.from_numpy(logits(reference, found["prompt"] + ids))[-len(ids) - 1 : -1]
    chosen = rows.log_softmax(-1).gather(1, torch.tensor(ids)[:, None])
    return float(chosen.mean())


def ratios(rounds: list[dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """foretell's speed over each peer's, round by round."""
    found = []
    for name, (_, _, least) in PEERS.items():
        if name in rounds[0]:
            values = [
                one["foretell"]["tokens_per_second"] / one[name]["tokens_per_second"]
                for one in rounds
            ]
            found.append(verdict(f"over {name}", spread(values), least=least))
    return found


def report(result: dict[str, Any]) -> None:
    """The figures, for people."""
    for name, figures in result["engines"].items():
        show(name, figures["tokens_per_second"], "tokens/s")
    for name, figures in result["engines"].items():
        show(f"{name}: log P", figures["logprob_per_token"], "a token")
    for ratio in result["ratios"]:
        show(ratio["name"], ratio, "×")
    blocks = result["kv_blocks"]
    show("most KV blocks: beams", blocks["most_of_beams"], "blocks")
    show("most KV blocks: one sequence", blocks["most_of_one"], "blocks")
    show("beams over one sequence", blocks["beams_over_one"], "×")
    show("the same, less what they add", blocks["without_added"], "×")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start the engines, take turns, and gather everything."""
    with ExitStack() as stack:
        folder = arguments.converted or stack.enter_context(tempfile.TemporaryDirectory())
        Path(folder).mkdir(parents=True, exist_ok=True)
        engines = Engines(stack, arguments, Path(folder).resolve())
        engines.round(min(8, arguments.tokens))  # warm up
        rounds = [engines.round(arguments.tokens) for _ in range(arguments.rounds)]
        blocks = [engines.blocks(index) for index in range(arguments.long_prompts)]
        return {
            "num_beams": arguments.beams,
            "tokens": arguments.tokens,
            "prompt_tokens": arguments.prompt_tokens,
            "long_prompt_tokens": arguments.long_prompt_tokens,
            "about": engines.info,
            "engines": summarize(rounds, arguments.model),
            "ratios": ratios(rounds),
            "kv_blocks": summarize_blocks(blocks, arguments.beams),
        }


def main() -> None:
    """Measure, show and write."""
    parser = options("speed and KV blocks of beam search, foretell and its peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beams", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=128, help="that each text has")
    parser.add_argument("--prompt-tokens", type=int, default=16)
    parser.add_argument("--long-prompts", type=int, default=3, help="to count KV blocks with")
    parser.add_argument("--long-prompt-tokens", type=int, default=1000)
    parser.add_argument("--skip", action="append", choices=[*PEERS], default=[])
    parser.add_argument(
        "--converted", type=Path, help="folder that keeps the peers' models (default: none does)"
    )
    arguments = parser.parse_args()
    result = measure(arguments)
    report(result)
    write_result("beams", arguments, result)


if __name__ == "__main__":
    main()
