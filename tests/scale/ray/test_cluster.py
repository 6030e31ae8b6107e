"""Finding a cluster, and sharing its CPUs; without Ray."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from foretell.cli.main import cli
from foretell.errors import ConfigError
from foretell.scale.ray.cluster import connected, import_ray, threads_each


@pytest.mark.parametrize(
    ("cpus", "workers", "expected"),
    [
        ([8], 1, 8),
        ([8], 3, 2),
        ([8], 100, 1),
        ([16] * 10, 10, 16),
        ([16] * 10, 4, 16),
        ([16] * 10, 15, 8),
        ([16, 4], 2, 8),
        ([0, 0], 1, 1),
        ([], 1, 1),
    ],
)
def test_each_worker_has_as_many_cpus_as_all_can(
    cpus: list[int], workers: int, expected: int
) -> None:
    assert threads_each(cpus, workers) == expected


def test_ray_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="--ray needs Ray: run pip install '"):
        import_ray()
    with pytest.raises(ConfigError, match="needs Ray"), connected():
        pass


def test_an_address_that_is_a_file_is_no_address(tmp_path) -> None:
    source = tmp_path / "in.jsonl"
    source.touch()
    done = CliRunner().invoke(cli, ["batch", "--ray", str(source), "-o", "out"])
    assert done.exit_code == 2
    assert "is a file here, and no address: put --ray behind it" in done.stderr


@pytest.mark.parametrize("flag", ["--replicas", "--max-replicas", "--target-requests"])
def test_replicas_are_for_ray(flag: str) -> None:
    done = CliRunner().invoke(cli, ["serve", flag, "2"])
    assert done.exit_code == 2
    assert f"{flag} is for --ray" in done.stderr
