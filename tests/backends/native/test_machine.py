"""How many threads, how much memory, and which instruction set."""

from __future__ import annotations

import ctypes
import os
import sys

import pytest
from support.kernel_bench import ISAS

from foretell.backends.native import machine
from foretell.errors import ConfigError
from foretell.utils.isa import choose_instruction_set


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


MEMINFO = "MemTotal:       9000 kB\nMemFree:        1000 kB\nMemAvailable:   4000 kB\n"


@pytest.fixture
def linux(tmp_path):
    """Writes files as Linux does; `read()` is the memory available by them."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such files")

    class Linux:
        def write(self, name, text):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

        def read(self):
            return machine.available_memory(tmp_path / "proc", tmp_path / "cgroup")

    linux = Linux()
    linux.write("proc/meminfo", MEMINFO)
    return linux


def write_group(linux, folder, limit, used, stat="anon 5\ninactive_file 0\n"):
    for name, text in (("max", limit), ("current", used), ("stat", stat)):
        linux.write(f"cgroup/{folder}/memory.{name}", f"{text}\n")


def test_available_memory_is_the_kernels_estimate(linux):
    assert linux.read() == 4000 * 1024


def test_a_control_group_limits_memory(linux):
    linux.write("proc/self/cgroup", "0::/app\n")
    write_group(linux, "app", 3_000_000, 1_000_000)
    assert linux.read() == 2_000_000


def test_file_pages_would_make_room(linux):
    linux.write("proc/self/cgroup", "0::/app\n")
    write_group(linux, "app", 3_000_000, 1_000_000, "anon 5\ninactive_file 600000\nfile 9\n")
    assert linux.read() == 2_600_000


def test_the_groups_around_count_too(linux):
    linux.write("proc/self/cgroup", "0::/outer/inner\n")
    write_group(linux, "outer/inner", "max", 10)
    write_group(linux, "outer", 1_500_000, 500_000)
    write_group(linux, "", 9_000_000, 500_000)
    assert linux.read() == 1_000_000


def test_a_namespaced_group_lies_at_the_root(linux):
    linux.write("proc/self/cgroup", "0::/\n")
    write_group(linux, "", 900_000, 400_000)
    assert linux.read() == 500_000


def test_groups_of_version_1(linux):
    linux.write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/app\n0::/\n")
    linux.write("cgroup/memory/app/memory.limit_in_bytes", "2000000\n")
    linux.write("cgroup/memory/app/memory.usage_in_bytes", "500000\n")
    linux.write("cgroup/memory/app/memory.stat", "inactive_file 1\ntotal_inactive_file 100000\n")
    linux.write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    linux.write("cgroup/memory/memory.usage_in_bytes", "500000\n")
    assert linux.read() == 1_600_000


def test_a_group_beyond_its_limit_leaves_nothing(linux):
    linux.write("proc/self/cgroup", "0::/\n")
    write_group(linux, "", 400_000, 900_000)
    assert linux.read() == 0


@pytest.mark.parametrize("text", ["", "0::", "nonsense", "0::/gone\n", "\n\n"])
def test_groups_that_say_nothing_limit_nothing(linux, text):
    linux.write("proc/self/cgroup", text)
    assert linux.read() == 4000 * 1024


@pytest.mark.parametrize(
    "text", ["", "MemAvailable:\n", "MemAvailable: many kB\n", "MemTotal: 5 kB"]
)
def test_without_the_kernels_estimate_pages_are_counted(linux, monkeypatch, text):
    linux.write("proc/meminfo", text)
    counts = {"SC_AVPHYS_PAGES": 300, "SC_PHYS_PAGES": 900, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", counts.__getitem__)
    assert linux.read() == 300 * 4096


def sysconf_that_refuses(*names):
    def sysconf(name):
        if name in names:
            raise ValueError("unrecognized configuration name")
        return {"SC_PHYS_PAGES": 900, "SC_PAGE_SIZE": 4096}[name]

    return sysconf


def test_all_memory_where_free_memory_is_not_told(linux, monkeypatch):
    linux.write("proc/meminfo", "")
    monkeypatch.setattr(os, "sysconf", sysconf_that_refuses("SC_AVPHYS_PAGES"))
    assert linux.read() == 900 * 4096
    monkeypatch.setattr(os, "sysconf", sysconf_that_refuses("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"))
    assert linux.read() is None


def test_windows_is_asked_through_its_library(monkeypatch):
    """By a library that answers as GlobalMemoryStatusEx does, in a structure of 64 bytes."""

    class Kernel32:
        def GlobalMemoryStatusEx(self, reference):
            status = reference._obj
            assert status.length == ctypes.sizeof(status)
            status.available_physical = 123_456
            return 1

    library = type("Library", (), {"kernel32": Kernel32()})()
    monkeypatch.setattr(ctypes, "windll", library, raising=False)
    assert machine._available_on_windows() == 123_456


def test_this_machine_has_memory_to_spare():
    available = machine.available_memory()
    assert available is None or available > 2**20
