"""A stand-in for pip that serves `download` from a folder of wheels, and fails as it is told to.

It sees the world as pip does: it writes under TMPDIR first, then into `--dest`. Its environment:

FAKE_PIP_WHEELS  folder of `<requirement>/<file>.whl`
FAKE_PIP_CALLS   file that gets one line a call: process id and requirement
FAKE_PIP_MODE    "" (serve), "gate" (pause half-way until FAKE_PIP_GATE exists), "gate-X" (only
                 for the requirement X), "empty" (serve nothing, succeed), "flood" (write far
                 more than there is), "fail" (print FAKE_PIP_OUTPUT)
FAKE_PIP_GATE    see above
"""

import os
import shutil
import sys
import time
from pathlib import Path


def download(requirement: str, dest: Path) -> None:
    with open(os.environ["FAKE_PIP_CALLS"], "a") as calls:
        calls.write(f"{os.getpid()} {requirement}\n")
    mode = os.environ.get("FAKE_PIP_MODE", "")
    if mode == "fail":
        sys.exit(os.environ["FAKE_PIP_OUTPUT"])
    if mode == "empty":
        return
    source = next((Path(os.environ["FAKE_PIP_WHEELS"]) / requirement).iterdir())
    content = source.read_bytes()
    growing = Path(os.environ["TMPDIR"]) / source.name
    with open(growing, "wb", buffering=0) as file:
        file.write(content[: len(content) // 2])
        while (
            mode in ("gate", f"gate-{requirement}")
            and not Path(os.environ["FAKE_PIP_GATE"]).exists()
        ):
            time.sleep(0.01)
        for _ in range(500 if mode == "flood" else 0):
            file.write(content)
            time.sleep(0.01)
        file.write(content[len(content) // 2 :])
    dest.mkdir(parents=True, exist_ok=True)
    shutil.copy(growing, dest)


if __name__ == "__main__":
    assert sys.argv[1] == "download", sys.argv
    assert {"--no-deps", "--only-binary", ":all:"} <= set(sys.argv), sys.argv
    download(sys.argv[-1], Path(sys.argv[sys.argv.index("--dest") + 1]))
