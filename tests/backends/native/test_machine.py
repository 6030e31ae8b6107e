"""How many threads, and which instruction set."""

from __future__ import annotations

import os

import pytest
from kernel_bench import ISAS

from foretell.backends.native import machine
from foretell.errors import ConfigError
from foretell.instruction_sets import choose_instruction_set


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    monkeypatch.delenv("FORETELL_THREADS", raising=False)
    monkeypatch.delenv("FORETELL_ISA", raising=False)


@pytest.fixture
def topology(tmp_path):
    """Four processors on two cores, 0 with 2 and 1 with 3, as Linux describes them."""
    for processor in range(4):
        folder = tmp_path / f"cpu{processor}" / "topology"
        folder.mkdir(parents=True)
        core = processor % 2
        (folder / "thread_siblings_list").write_text(f"{core},{core + 2}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("processors", "cores"), [({0, 1, 2, 3}, 2), ({0, 2}, 1), ({3}, 1), ({2, 3}, 2), ({0, 7, 9}, 3)]
)
def test_siblings_are_one_core(topology, processors, cores):
    assert machine.physical_cores(processors, topology) == cores


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("100000 0\n", None),
        ("", None),
        ("1 2 3", None),
    ],
)
def test_a_containers_quota_counts_whole_processors(tmp_path, text, quota):
    (tmp_path / "cpu.max").write_text(text)
    assert machine._processor_quota(tmp_path / "cpu.max") == quota


def test_no_quota_where_there_is_no_file(tmp_path):
    assert machine._processor_quota(tmp_path / "cpu.max") is None


@pytest.mark.parametrize(
    ("cores", "quota", "threads"), [(4, None, 4), (4, 2, 2), (2, 8, 2), (1, 1, 1)]
)
def test_threads_default_to_cores_within_the_quota(monkeypatch, cores, quota, threads):
    monkeypatch.setattr(machine, "physical_cores", lambda processors: cores)
    monkeypatch.setattr(machine, "_processor_quota", lambda: quota)
    assert machine.choose_threads(None) == threads


def test_only_usable_processors_count(monkeypatch):
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("needs sched_setaffinity")
    usable = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(usable)})
        assert machine.choose_threads(None) == 1
    finally:
        os.sched_setaffinity(0, usable)


def test_the_environment_sets_threads(monkeypatch):
    monkeypatch.setenv("FORETELL_THREADS", "7")
    assert machine.choose_threads(None) == 7
    assert machine.choose_threads(3) == 3
    monkeypatch.setenv("FORETELL_THREADS", "")
    assert machine.choose_threads(None) >= 1


@pytest.mark.parametrize("text", ["0", "-1", "1025", "two", "2.0", " 2", "9" * 5000])
def test_wrong_threads_in_the_environment_are_refused(monkeypatch, text):
    monkeypatch.setenv("FORETELL_THREADS", text)
    with pytest.raises(ConfigError) as error:
        machine.choose_threads(None)
    assert "FORETELL_THREADS=" in str(error.value)
    assert "must be an integer from 1 to 1024" in str(error.value)


@pytest.mark.parametrize("threads", [0, -1, 1025, 2.0, "2", True])
def test_wrong_threads_are_refused(threads):
    with pytest.raises(ConfigError, match="must be an integer from 1 to 1024") as error:
        machine.choose_threads(threads)
    assert f"threads={threads!r}" in str(error.value)


def test_the_best_instruction_set_is_the_default():
    assert choose_instruction_set(ISAS) == ISAS[0]


@pytest.mark.parametrize("isa", ISAS)
def test_the_environment_sets_the_instruction_set(monkeypatch, isa):
    monkeypatch.setenv("FORETELL_ISA", isa)
    assert choose_instruction_set(ISAS) == isa


@pytest.mark.parametrize("isa", ["avx", "AVX2", "sse9", "plain "])
def test_an_instruction_set_that_is_not_there_is_refused(monkeypatch, isa):
    monkeypatch.setenv("FORETELL_ISA", isa)
    with pytest.raises(ConfigError) as error:
        choose_instruction_set(ISAS)
    assert str(error.value) == (
        f"FORETELL_ISA={isa} cannot run here: this machine has {', '.join(ISAS)}"
    )
