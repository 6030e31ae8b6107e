"""What the benchmarks share: peers in processes of their own, the machine, results as JSON."""

from __future__ import annotations

import argparse
import ctypes
import datetime
import hashlib
import json
import os
import platform
import select
import signal
import statistics
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
ISA_FLAGS = ("avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16")
ISA_FLAGS += ("amx_int8", "asimd", "asimddp", "i8mm", "sve")


class PeerError(SystemExit):
    """A peer ended, did not answer in time, or refused: the message tells which, and why."""

    def __init__(self, peer: str, reason: str) -> None:
        super().__init__(f"{peer}: {reason}")
        self.reason = reason


class Peer:
    """One engine with the model loaded, in a process of its own; `ask` runs one operation there.

    It leads a group of processes, which can be stopped while others are in turn. On Linux it ends
    with the process that started it, however that ends: one that is stopped sees no end of input.
    """

    def __init__(
        self,
        name: str,
        *arguments: object,
        python: str = sys.executable,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self.process = subprocess.Popen(
            [python, "-m", f"benchmarks.peers.{name}", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "GGML_NO_BACKTRACE": "1", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
        self.name = name

    def ask(self, op: str, *, timeout: float | None = None, **arguments: Any) -> dict[str, Any]:
        """Send one request and wait for the reply; after `timeout` seconds the process is ended."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
            self.process.stdin.flush()
            if not select.select([self.process.stdout], [], [], timeout)[0]:
                self.kill()
                raise PeerError(self.name, f"no answer to {op} in {timeout:.0f} s")
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.process.wait()
            raise PeerError(self.name, f"ended with exit code {code}: {self._last_words()}")
        reply = json.loads(line)
        if "error" in reply:
            raise PeerError(self.name, reply["error"])
        return reply

    def _last_words(self) -> str:
        """The last line of its log that tells something."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return next((line.strip()[-300:] for line in reversed(lines) if line.strip()), "no word")

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def pause(self) -> None:
        """Stop its threads, which may wait spinning, until `resume`."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End the process, whatever it does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        with suppress(BrokenPipeError):  # what a peer that has ended did not take
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
        self._log.close()


def _end_with_parent() -> None:
    """Have this process killed when its parent ends."""
    set_death_signal = 1
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def options(description: str, *, has_peers: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark takes; without peers it is foretell's own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("model", type=_resolved, help="GGUF file")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="to compute with")
    if has_peers:
        parser.add_argument(
            "--foretell-python",
            default=str(ROOT / ".venv/bin/python"),
            help="the interpreter that has foretell (default: the project's own)",
        )
    parser.add_argument("--note", default="", help="kept in the result")
    parser.add_argument("--output", type=Path, help="default: results/<date>-<benchmark>.json")
    return parser


def _resolved(path: str) -> Path:
    """The same file for peers, which run in the repository's root."""
    return Path(path).resolve()


def spread(values: list[float]) -> dict[str, Any]:
    """Median, least, most and all of some figures."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "all": values,
    }


def verdict(
    name: str,
    figures: dict[str, Any],
    *,
    least: float | None = None,
    most: float | None = None,
) -> dict[str, Any]:
    """A spread beside what was asked of its median: at least, or at most, so much."""
    median = figures["median"]
    asked = {key: value for key, value in (("least", least), ("most", most)) if value is not None}
    met = (least is None or median >= least) and (most is None or median <= most)
    return {"name": name, **figures, **({"asked": asked, "met": met} if asked else {})}


def show(name: str, figures: dict[str, Any], unit: str) -> None:
    """One line for people: median and range."""
    low, high = figures["min"], figures["max"]
    line = f"{name:<34} {figures['median']:10.4g} {unit:<12} ({low:.4g} to {high:.4g})"
    if "asked" in figures:
        asked = ", ".join(f"at {bound} {value:g}" for bound, value in figures["asked"].items())
        line += f"  asked: {asked}: {'met' if figures['met'] else 'NOT MET'}"
    print(line, flush=True)


def machine() -> dict[str, Any]:
    """CPU model, cores, instruction sets and load, without anything that names the host."""
    facts = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line.partition(":") for line in cpuinfo.read_text().splitlines()]
        fields = {key.strip(): value.strip() for key, _, value in lines}
        facts["cpu"] = fields.get("model name", facts["cpu"])
        flags = fields.get("flags", fields.get("Features", "")).split()
        facts["isa"] = [flag for flag in ISA_FLAGS if flag in flags]
    facts["system"] = f"{platform.system()} {platform.machine()}"
    facts["load_average"] = os.getloadavg()[0]
    return facts


def git(*arguments: str) -> str:
    """What git answers in the repository; nothing in a copy that is none."""
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    ).stdout.strip()


def circumstances(name: str, now: datetime.datetime) -> dict[str, Any]:
    """What every result says first: benchmark, date, commit, machine."""
    return {
        "benchmark": name,
        "date": now.isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", "src", "csrc")),
        "machine": machine(),
        "python": platform.python_version(),
    }


def write_result(name: str, arguments: argparse.Namespace, result: dict[str, Any]) -> Path:
    """Write `result` with model, machine, date and commit beside it; the file's path."""
    now = datetime.datetime.now(datetime.UTC)
    whole = {
        **circumstances(name, now),
        "model": arguments.model.name,
        "model_sha256": hashlib.sha256(arguments.model.read_bytes()).hexdigest(),
        "threads": arguments.threads,
        "note": arguments.note,
        **result,
    }
    path = arguments.output or RESULTS / f"{now:%Y-%m-%d-%H%M}-{name}.json"
    path.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    print(f"written: {path}")
    return path
