"""foretell beside its peers, on models of several sizes, in one run.

    python -m benchmarks.speed.peers --rounds 5

Of each model, each kind of work is done in rounds with every engine in turn; the engines that are
not in turn are stopped, so that none that waits spinning takes a core. A figure is the median of
its rounds, with the least and the most; a ratio is taken round by round. An engine takes turns at a
work until the rounds or its seconds are over, but one at least. What an engine cannot do stands in
the result with the reason, and so does one that ends or does not answer in time. The result is
written again after each work, so a run that is interrupted keeps what it had.

Parts: `--models llama-1b --works decode prefill-512 --peers llama.cpp ik_llama.cpp`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.common.harness import (
    RESULTS,
    ROOT,
    Peer,
    PeerError,
    circumstances,
    show,
    spread,
)
from benchmarks.common.tables import LESS_IS_BETTER
from benchmarks.common.texts import prose, python_source
from benchmarks.speed.peer_plan import (
    FORETELL,
    MODELS,
    NOT_CONVERTED,
    PEERS,
    START,
    WORKS,
    Engine,
    Model,
    Work,
    foretell_engines,
)
from benchmarks.speed.speed import first_byte
from benchmarks.speed.throughput import Prompts

PAUSE = 0.1  # seconds before a turn
CONVERT_LIMIT = 900.0  # seconds, to convert and load a model
LOAD_LIMIT = 180.0
TURN_LIMIT = 45.0
LONGEST_TURN = 30.0  # foreseen seconds; what would take longer is not begun
WARM_TOKENS = 8
MEMORY_TOKENS = 16
SHORT = 5.0  # seconds of engines whose processes are started once
LEAST_TOKENS = 8  # that a decode of a slow engine is cut to

Rounds = dict[str, list[float | None]]  # an engine's figure in each round, if it had a turn


class Table:
    """One model's engines: their processes, and the reasons why some have none."""

    def __init__(
        self, stack: ExitStack, arguments: argparse.Namespace, model: Model, engines: list[Engine]
    ) -> None:
        self._stack = stack
        self._arguments = arguments
        self.path = model.file(arguments.foretell_python, arguments.folder)
        self._peers: dict[tuple[str, int], Peer] = {}
        self._speeds: dict[str, float] = {}  # decode, as the warm-up found it
        self._ends: dict[str, int] = {}  # the shortest prompt that an engine's process ended over
        self.info: dict[str, dict[str, Any]] = {}
        self.reasons: dict[str, str] = {}  # of engines that are left out altogether
        self.engines = engines
        for engine in engines:
            reason = self._why_not(model, engine)
            if reason:
                self.reasons[engine.name] = reason
        # What measures the bandwidth and makes tokens of texts is no contestant.
        self.helper = stack.enter_context(self._process(FORETELL, 1))
        ids = self.helper.ask("tokenize", text=prose().text + python_source().text)["ids"]
        self.helper.pause()
        self._ids = ids
        self._prompts: dict[int, Prompts] = {}

    def _why_not(self, model: Model, engine: Engine) -> str:
        if engine.module and find_spec(engine.module) is None:
            return f"{engine.module} is not installed"
        if not engine.product:
            return ""
        if not model.converts:
            return NOT_CONVERTED[model.name]
        if not (self._arguments.folder / f"{self.path.stem}-{engine.product}").exists():
            print(f"{engine.name} converts {self.path.name}", flush=True)
            try:
                with self._process(engine, 1) as peer:
                    peer.ask("load", timeout=CONVERT_LIMIT)
            except PeerError as error:
                return f"not converted: {error.reason}"
        return ""

    def _process(self, engine: Engine, slots: int) -> Peer:
        arguments = self._arguments
        command = engine.arguments(self.path, arguments.threads, slots, arguments.folder)
        python = {"python": arguments.foretell_python} if engine.is_foretell else {}
        return Peer(engine.peer, *command, environment=engine.environment, **python)

    def peer(self, engine: Engine, slots: int) -> Peer:
        """The engine's process with room for so many sequences, loaded and warm."""
        key = (engine.name, slots if engine.has_slots else 1)
        if key in self._peers and self._peers[key].is_alive:
            return self._peers[key]
        peer = self._stack.enter_context(self._process(engine, slots))
        try:
            loaded = peer.ask("load", timeout=LOAD_LIMIT)
            self._note(engine, slots, loaded)
            prompt = self.take(Work("warm", "", ""), 1)[0]
            reply = peer.ask("generate", timeout=TURN_LIMIT, ids=prompt, max_new_tokens=WARM_TOKENS)
        except PeerError as error:
            peer.kill()
            reason = f"it does not run it: {error.reason}"
            if slots == 1:
                self.reasons[engine.name] = reason
            raise PeerError(engine.name, reason) from error
        self._speeds[engine.name] = reply["decode_tokens_per_second"]
        self._peers[key] = peer
        return peer

    def _note(self, engine: Engine, slots: int, loaded: dict[str, Any]) -> None:
        """Keep what an engine says of itself; of several sequences, where its settings differ."""
        info = self.info.setdefault(engine.name, loaded)
        if loaded.get("settings") != info.get("settings"):
            info[f"settings of {slots} sequences"] = loaded["settings"]

    def take(self, work: Work, count: int) -> list[list[int]]:
        """Prompts for a work that were not used before."""
        length = work.prompt_tokens
        if length not in self._prompts:
            self._prompts[length] = Prompts(self._ids, length)
        return self._prompts[length].take(count)

    def turn(self, engine: Engine, work: Work, prompts: list[list[int]]) -> float:
        """One engine does one work once: its figure."""
        if work.prompt_tokens >= self._ends.get(engine.name, work.prompt_tokens + 1):
            reason = f"its process ended over a prompt of {self._ends[engine.name]:,} tokens"
            raise PeerError(engine.name, reason)
        try:
            peer = self.peer(engine, work.sequences)
            peer.resume()
            time.sleep(PAUSE)
            try:
                return self._figure(peer, engine, work, prompts)
            finally:
                peer.pause()
                if not peer.is_alive:
                    self._ends[engine.name] = work.prompt_tokens
        except BrokenPipeError as error:
            raise PeerError(engine.name, f"its process ended: {error}") from error

    def _figure(self, peer: Peer, engine: Engine, work: Work, prompts: list[list[int]]) -> float:
        tokens = self._tokens(engine, work)
        given: dict[str, Any] = {"max_new_tokens": tokens}
        if work.sequences > 1:
            given["prompts"] = prompts
        else:
            given["ids"] = prompts[0]
        if work.num_beams > 1:
            given["num_beams"] = work.num_beams
        if work.sampling:
            given["sampling"] = work.sampling
        reply = peer.ask(work.op, timeout=TURN_LIMIT, **given)
        found = reply["ids"] if work.sequences > 1 else [reply["ids"]]
        lengths = {len(ids) for ids in found}
        if lengths != {tokens}:
            raise PeerError(engine.name, f"it gave {sorted(lengths)} tokens, not {tokens}")
        if work.figure == "total":
            return work.sequences * tokens / reply["wall_seconds"]
        return float(reply[work.figure])

    def _tokens(self, engine: Engine, work: Work) -> int:
        """Tokens to generate: fewer, where an engine decodes too slowly for its seconds."""
        speed = self._speeds[engine.name]
        if work.figure == "total":
            seconds = work.tokens / speed  # if all sequences cost no more than one
            if seconds > LONGEST_TURN:
                raise PeerError(engine.name, f"it would take {seconds:.0f} s or more a turn")
            return work.tokens
        return min(work.tokens, max(LEAST_TOKENS if work.tokens > 1 else 1, int(4 * speed)))

    def start(self, engine: Engine) -> dict[str, float]:
        """A whole process: seconds to the first token and to load, and its memory in bytes."""
        [prompt] = self.take(Work("warm", "", ""), 1)
        begin = time.perf_counter()
        with self._process(engine, 1) as peer:
            loaded = peer.ask("load", timeout=LOAD_LIMIT)
            peer.ask("generate", timeout=TURN_LIMIT, ids=prompt, max_new_tokens=1)
            seconds = time.perf_counter() - begin
            peer.ask("generate", timeout=TURN_LIMIT, ids=prompt, max_new_tokens=MEMORY_TOKENS)
            memory = peer.ask("peak_memory")["bytes"]
        self.info.setdefault(engine.name, loaded)
        return {"start": seconds, "load": loaded["load_seconds"], "memory": memory}

    def end(self) -> None:
        """End the processes that were kept."""
        for peer in self._peers.values():
            peer.kill()

    def bandwidth(self) -> float:
        """Bytes a second that the memory gives to those who only read."""
        self.helper.resume()
        try:
            return float(self.helper.ask("bandwidth")["bytes_per_second"])
        finally:
            self.helper.pause()


def contest(table: Table, work: Work, rounds: int) -> tuple[dict[str, Any], list[float]]:
    """All engines in turns at one work: each one's figures or reason, and the bandwidths."""
    figures: Rounds = {engine.name: [] for engine in table.engines}
    reasons = dict(table.reasons)
    spent: dict[str, float] = {}
    bandwidths = []
    for engine in table.engines:  # loading is not its turn
        if engine.name not in reasons:
            try:
                table.peer(engine, work.sequences).pause()
            except PeerError as error:
                reasons[engine.name] = error.reason
    for _ in range(rounds):
        if work.name == "decode":
            bandwidths.append(table.bandwidth())
        prompts = table.take(work, work.sequences)
        for engine in table.engines:
            name = engine.name
            if name in reasons or spent.get(name, 0) > engine.seconds:
                figures[name].append(None)
                continue
            begin = time.perf_counter()
            try:
                figures[name].append(table.turn(engine, work, prompts))
            except PeerError as error:
                reasons[name] = error.reason
                figures[name].append(None)
            spent[name] = spent.get(name, 0) + time.perf_counter() - begin
    return summarize(figures, reasons), bandwidths


def summarize(figures: Rounds, reasons: dict[str, str], *, less: bool = False) -> dict[str, Any]:
    """Spreads, and by how much foretell is better, round by round; or the reason why not."""
    found: dict[str, Any] = {}
    ours = figures.get(FORETELL.name, [])
    for name, values in figures.items():
        there = [value for value in values if value is not None]
        found[name] = spread(there) if there else {}
        if name in reasons:
            found[name]["reason"] = reasons[name]
        pairs = [(mine, its) for mine, its in zip(ours, values, strict=False) if mine and its]
        if pairs and name != FORETELL.name:
            ratios = [its / mine if less else mine / its for mine, its in pairs]
            found[name]["foretell_over_it"] = spread(ratios)
    return found


def starts(table: Table, arguments: argparse.Namespace, rounds: int) -> dict[str, Any]:
    """Whole processes of all engines in turns, and of foretell's command line."""
    figures: dict[str, Rounds] = {
        kind: {engine.name: [] for engine in table.engines} for kind in ("start", "load", "memory")
    }
    shell: Rounds = {FORETELL.name: []}
    reasons = dict(table.reasons)
    for number in range(rounds):
        for engine in table.engines:
            found: dict[str, float] = {}
            if engine.name not in reasons and (number < 1 or engine.seconds > SHORT):
                try:
                    found = table.start(engine)
                except PeerError as error:
                    reasons[engine.name] = error.reason
            for kind, values in figures.items():
                values[engine.name].append(found.get(kind))
        given = argparse.Namespace(foretell_python=arguments.foretell_python, model=table.path)
        shell[FORETELL.name].append(first_byte(given)[0])
    result = {kind: summarize(one, reasons, less=True) for kind, one in figures.items()}
    return {**result, "shell": summarize(shell, {})}


def of_the_file(table: Table, decode: dict[str, Any], bandwidths: list[float]) -> dict[str, Any]:
    """Bytes of the file read a second while decoding, and their share of the bandwidth.

    Of the engines that read the file itself; the bandwidth is the most that any round found.
    """
    size = table.path.stat().st_size
    result: dict[str, Any] = {"bandwidth_bytes_per_second": spread(bandwidths)}
    for engine in table.engines:
        name, figures = engine.name, decode[engine.name]
        if "all" in figures and not engine.product:
            most = max(bandwidths)
            speeds = [value * size for value in figures["all"]]
            result[name] = {
                "bytes_per_second": spread(speeds),
                "bandwidth_share": spread([speed / most for speed in speeds]),
            }
    return result


def measure_model(
    arguments: argparse.Namespace, model: Model, engines: list[Engine], result: dict[str, Any]
) -> None:
    """All works of one model; the result is saved after each."""
    with ExitStack() as stack:
        table = Table(stack, arguments, model, engines)
        size = table.path.stat().st_size
        entry: dict[str, Any] = {"title": model.title, "file": table.path.name, "bytes": size}
        result["models"][model.name] = {**entry, "engines": table.info, "works": {}}
        works = result["models"][model.name]["works"]
        wanted = [name for name in arguments.works or model.works if name != START]
        for work in (WORKS[name] for name in wanted):
            print(f"\n{model.title}: {work.title}", flush=True)
            works[work.name], bandwidths = contest(table, work, arguments.rounds)
            report(works[work.name], "tokens/s")
            if bandwidths:
                shares = of_the_file(table, works[work.name], bandwidths)
                result["models"][model.name]["of_the_file"] = shares
                report_shares(shares)
            save(result, arguments.output)
        if START in (arguments.works or model.works):
            table.end()  # new processes have the machine to themselves
            print(f"\n{model.title}: whole processes", flush=True)
            for kind, figures in starts(table, arguments, min(3, arguments.rounds)).items():
                works[kind] = figures
                print(LESS_IS_BETTER[kind])
                report(figures, "bytes" if kind == "memory" else "s")
            save(result, arguments.output)


def report(figures: dict[str, Any], unit: str) -> None:
    """One line an engine, for people."""
    for name, one in figures.items():
        if "median" in one:
            show(f"  {name}", one, unit)
        if "reason" in one:
            print(f"  {name}: {one['reason']}", flush=True)


def report_shares(shares: dict[str, Any]) -> None:
    """What each engine reads of the file a second, beside what the memory gives."""
    most = shares["bandwidth_bytes_per_second"]["max"] / 1e9
    print(f"  bytes of the file a second, of {most:.1f} GB/s that the memory gives", flush=True)
    for name, one in shares.items():
        if "bandwidth_share" in one:
            speed, share = (one[key]["median"] for key in ("bytes_per_second", "bandwidth_share"))
            print(f"  {name:<32} {speed / 1e9:10.1f} GB/s, {share:.0%}", flush=True)


def save(result: dict[str, Any], path: Path) -> None:
    """Write the result so far; the file is whole at any time."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    unfinished.replace(path)


def main() -> None:
    """Measure, show and write."""
    arguments = parse()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    arguments.output = arguments.output or RESULTS / f"{now:%Y-%m-%d-%H%M}-peers.json"
    engines = foretell_engines(arguments.foretell_isa, arguments.foretell_kv)
    chosen = [engine for engine in PEERS if engine.name in arguments.peers]
    result = {
        **circumstances("peers", now),
        "threads": arguments.threads,
        "rounds": arguments.rounds,
        "note": arguments.note,
        "works": {work.name: work.title for work in WORKS.values()},
        "models": {},
    }
    for name in arguments.models:
        measure_model(arguments, MODELS[name], [*engines, *chosen], result)
    print(f"written: {arguments.output}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="foretell beside its peers")
    names = [engine.name for engine in PEERS]
    parser.add_argument("--models", nargs="+", choices=[*MODELS], default=[*MODELS])
    parser.add_argument("--works", nargs="+", choices=[*WORKS, START], help="default: each model's")
    parser.add_argument("--peers", nargs="*", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="to compute with")
    parser.add_argument(
        "--foretell-python",
        default=str(ROOT / ".venv/bin/python"),
        help="the interpreter that has foretell (default: the project's own)",
    )
    parser.add_argument(
        "--foretell-isa", action="append", default=[], help="run foretell with this one too: avx2"
    )
    parser.add_argument(
        "--foretell-kv", action="append", default=[], help="run foretell with this cache too"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / "build" / "peers",
        help="keeps shapes and converted models (default: build/peers)",
    )
    parser.add_argument("--note", default="", help="kept in the result")
    parser.add_argument("--output", type=Path, help="default: results/<date>-peers.json")
    arguments = parser.parse_args()
    arguments.folder = arguments.folder.resolve()
    return arguments


if __name__ == "__main__":
    main()
