"""Jobs on Ray: the bytes of one process, whoever is killed, and however many go on."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.ray_openings import BusyOnce
from support.ray_processes import actors, kill, until_gone

from foretell.errors import ConfigError
from foretell.loading.fingerprint import model_sha256
from foretell.scale.job import Job
from foretell.scale.ray import batch
from foretell.scale.ray.batch import run_on_ray
from foretell.scale.ray.cluster import Cluster
from foretell.scale.ray.model import Opening
from foretell.scale.start import open_job
from foretell.scale.summary import summarize
from foretell.scale.workers import WorkerError

NUM_ROWS = 120
PART_ROWS = 8


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("batch") / "in.jsonl"
    schema = {"type": "object", "properties": {"a": {"enum": [1, 2, 3]}}, "required": ["a"]}
    rows: list[dict[str, Any]] = []
    for number in range(NUM_ROWS):
        body = {"messages": [{"role": "user", "content": f"hi {number}"}], "max_tokens": 60}
        kinds: list[dict[str, Any]] = [
            {"prompt": f"the {number}", "max_tokens": 180, "temperature": 3.0, "ignore_eos": True},
            {"prompt": f"ab {number}", "max_tokens": 120, "temperature": 0, "logprobs": 2},
            {"prompt": f"cd {number}", "num_beams": 3, "max_tokens": 40},
            {"custom_id": f"chat {number}", "method": "POST", "url": "/v1/chat/completions"}
            | {"body": body},
            {"prompt": f"x {number}", "temperature": -1},
            {"prompt": f"json {number}", "json_schema": schema, "max_tokens": 40, "n": 2},
        ]
        rows.append(kinds[number % len(kinds)])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "broken\n")
    return path


def command(toy: Path, source: Path, folder: Path, *more: str) -> list[str]:
    words = [sys.executable, "-W", "ignore", "-m", "foretell", "batch", str(source)]
    words += ["-o", str(folder), "-m", str(toy), "--part-rows", str(PART_ROWS)]
    return [*words, *more]


def outcome(words: list[str]) -> tuple[dict[str, Any], str]:
    """What a job that ended well tells, and what it says beside that."""
    done = subprocess.run(
        [*words, "--json"], check=False, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def alone(toy_path: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process without Ray tells in the end."""
    found, _ = outcome(command(toy_path, source, tmp_path_factory.mktemp("alone")))
    assert (found["rows"], found["answered"]) == (NUM_ROWS + 1, NUM_ROWS + 1)
    return found


def begin(toy: Path, source: Path, folder: Path) -> tuple[Job, Opening]:
    sha256 = model_sha256(toy)
    model = {"name": str(toy), "sha256": sha256}
    job = open_job(source, folder, model, part_rows=PART_ROWS)
    return job, Opening(str(toy), meant={"sha256": sha256})


def num_parts(folder: Path) -> int:
    return len([*folder.glob("part-*.jsonl")])


def ids_of(folder: Path) -> Counter[str]:
    parts = sorted(folder.glob("part-*.jsonl"))
    lines = [line for part in parts for line in part.read_text().splitlines()]
    return Counter(json.loads(line)["custom_id"] for line in lines)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_make_the_bytes_of_one_process(
    cluster: Cluster, toy_path: Path, source: Path, alone: Any, tmp_path: Path, workers: int
) -> None:
    job, opening = begin(toy_path, source, tmp_path / "out")
    assert run_on_ray(job, opening, cluster, workers, lambda: None, threads=1) == alone["parts"]
    assert summarize(job).to_dict() == alone
    assert set(ids_of(job.folder).values()) == {1}
    until_gone("Worker")


def test_counts_are_among_rays_metrics(
    cluster: Cluster, toy_path: Path, source: Path, tmp_path: Path
) -> None:
    (node,) = cluster.ray.nodes()
    page = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    before = _counted(page)
    job, opening = begin(toy_path, source, tmp_path / "out")
    run_on_ray(job, opening, cluster, 1, lambda: None, threads=1)
    found, deadline = summarize(job), time.monotonic() + 60
    expected = before + Counter({"no": found.answered - found.refused, "yes": found.refused})
    while (now := _counted(page)) != expected:
        assert time.monotonic() < deadline, (now, expected)
        time.sleep(0.5)


def _counted(page: str) -> Counter[str]:
    """Rows that were answered, by whether they were refused, of all workers so far."""
    found = Counter[str]()
    for line in httpx.get(page, trust_env=False).text.splitlines():
        if line.startswith("ray_foretell_rows_total{"):
            is_refused = re.findall('is_refused="([a-z]+)"', line)[0]
            found[is_refused] += int(float(line.split()[-1]))
    return found


def test_workers_that_are_killed_are_replaced(
    cluster: Cluster,
    toy_path: Path,
    source: Path,
    alone: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "INTERVAL", 0.01)
    chance, killed = random.Random(5), list[int]()

    def strike() -> None:  # after the 1st part, the 4th, the 7th, the 10th
        if len(killed) < 4 and num_parts(job.folder) > 3 * len(killed):
            killed.append(chance.choice(actors("Worker")))
            kill(killed[-1])

    job, opening = begin(toy_path, source, tmp_path / "out")
    run_on_ray(job, opening, cluster, 2, strike, threads=1)
    assert len(set(killed)) == 4
    assert summarize(job).to_dict() == alone
    assert set(ids_of(job.folder).values()) == {1}


def test_a_driver_that_is_killed_is_gone_on_with_by_other_numbers(
    address: str, toy_path: Path, source: Path, alone: Any, tmp_path: Path
) -> None:
    folder, chance, killed = tmp_path / "out", random.Random(7), 0
    words = command(toy_path, source, folder)
    for workers in ("2", "1", "3"):
        process = subprocess.Popen(
            [*words, "--ray", address, "--threads", "1", "--workers", workers],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until_parts(folder, num_parts(folder) + 1, process)
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    assert killed >= 2
    found, said = outcome([*words, "--ray", address, "--threads", "1", "--workers", "1"])
    assert found == alone
    assert re.fullmatch("the first row that is refused is row-5: temperature=-1 .*\n", said)
    for part in sorted(folder.glob("part-*.jsonl"))[1::2]:
        part.unlink()
    found, _ = outcome(words)  # and without Ray
    assert found == alone
    assert set(ids_of(folder).values()) == {1}
    until_gone("Worker")


def _until_parts(folder: Path, number: int, process: subprocess.Popen[bytes]) -> None:
    while num_parts(folder) < number and process.poll() is None:
        time.sleep(0.01)


def test_ctrl_c_leaves_whole_parts_and_no_workers(
    address: str, toy_path: Path, source: Path, alone: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    words = command(toy_path, source, folder)
    process = subprocess.Popen(
        [*words, "--ray", address, "--threads", "1", "--workers", "2"],
        stderr=subprocess.PIPE,
        text=True,
    )
    _until_parts(folder, 1, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not [*folder.glob(".part-*")]
    until_gone("Worker")
    found, _ = outcome([*words, "--ray", address, "--threads", "1"])
    assert found == alone


def test_another_model_on_a_machine_is_refused(
    cluster: Cluster, toy_path: Path, source: Path, tmp_path: Path
) -> None:
    job, opening = begin(toy_path, source, tmp_path / "out")
    other = Opening(opening.name, meant={"sha256": "0" * 64})
    with pytest.raises(WorkerError, match=r"toy.gguf has sha256 .* must be 000"):
        run_on_ray(job, other, cluster, 1, lambda: None, threads=1)
    older = Opening(opening.name, foretell="0.0.0")
    with pytest.raises(WorkerError, match=r"foretell is .* must be 0\.0\.0"):
        run_on_ray(job, older, cluster, 1, lambda: None, threads=1)
    assert not [*job.folder.glob("part-*")]


def test_a_machine_that_is_busy_is_asked_again(
    cluster: Cluster, toy_path: Path, source: Path, alone: Any, tmp_path: Path
) -> None:
    job, _ = begin(toy_path, source, tmp_path / "out")
    flag = tmp_path / "busy"
    flag.touch()
    run_on_ray(job, BusyOnce(str(toy_path), flag=str(flag)), cluster, 1, lambda: None, threads=1)
    assert not flag.exists()
    assert summarize(job).to_dict() == alone


def test_workers_that_die_again_and_again_end_the_job(
    cluster: Cluster,
    toy_path: Path,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "INTERVAL", 0.01)
    job, opening = begin(toy_path, source, tmp_path / "out")
    with pytest.raises(WorkerError, match="workers died 4 times"):
        run_on_ray(job, opening, cluster, 1, lambda: [*map(kill, actors("Worker"))], threads=1)


def test_too_few_cpus_are_told(
    cluster: Cluster,
    toy_path: Path,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job, opening = begin(toy_path, source, tmp_path / "out")
    wanted = r"no worker found 64 free CPUs .* has 4 on 1 machines, of which \d are free"
    with pytest.raises(ConfigError, match=wanted):
        run_on_ray(job, opening, cluster, 1, lambda: None, threads=64)
    monkeypatch.setattr(batch, "PATIENCE", 1.0)
    somebodys = Cluster(cluster.ray, is_ours=False)
    with pytest.raises(ConfigError, match=wanted):
        run_on_ray(job, opening, somebodys, 1, lambda: None, threads=64)


def test_workers_without_a_place_hold_nobody_up(
    cluster: Cluster, toy_path: Path, source: Path, alone: Any, tmp_path: Path
) -> None:
    job, opening = begin(toy_path, source, tmp_path / "out")
    run_on_ray(job, opening, cluster, 3, lambda: None, threads=3)
    assert summarize(job).to_dict() == alone


def test_what_another_process_makes_is_left_to_it(
    cluster: Cluster, toy_path: Path, source: Path, alone: Any, tmp_path: Path
) -> None:
    job, opening = begin(toy_path, source, tmp_path / "out")
    with job.parts.claim(3) as is_ours:
        assert is_ours
        assert run_on_ray(job, opening, cluster, 1, lambda: None, threads=1) == alone["parts"] - 1
    assert list(job.missing()) == [3]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--ray", "127.0.0.1:9"), "no Ray cluster answers at '127.0.0.1:9': Connection refused"),
        (("--ray", "here"), "ray='here' must be host:port, as in 10.0.0.1:6379, or 'auto'"),
    ],
)
def test_an_address_where_nothing_is(
    more: tuple[str, ...], reason: str, toy_path: Path, source: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        command(toy_path, source, tmp_path / "out", *more),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
