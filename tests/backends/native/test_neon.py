"""The NEON kernels, run by an emulator, give the bits that the plain ones give on this machine.

So do the elementary functions, compiled for either.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support.random_tensors import MATRICES, OWN

CSRC = Path(__file__).parents[3] / "csrc"
DRIVER = Path(__file__).parents[2] / "support" / "neon_check.cpp"
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64-static"
FLAGS = ["-std=c++20", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", f"-I{CSRC}"]
FORMATS = len(MATRICES) + len(OWN)

pytestmark = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("g++", COMPILER, EMULATOR)),
    reason=f"needs g++, {COMPILER} and {EMULATOR}",
)


def start_build(compiler, isa, program, *flags):
    weights = set((CSRC / "weights").glob("*.cpp"))
    weights.remove(CSRC / "weights" / "file_rows.cpp")  # has buffers of the system, no kernels
    sources = [DRIVER, CSRC / f"kernels/isa/{isa}.cpp", *weights]
    command = [compiler, *FLAGS, *flags, f"-DKERNELS={isa}_kernels", *sources, "-o", program]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def hashes(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stderr.strip(), done.stdout.splitlines()


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What the driver prints: with plain kernels here, with NEON's under the emulator."""
    folder = tmp_path_factory.mktemp("neon")
    here, there = folder / "plain", folder / "neon"
    neon = ("-static", "-march=armv8.2-a+dotprod", "-DFORETELL_ARM64")
    builds = [start_build("g++", "plain", here), start_build(COMPILER, "neon", there, *neon)]
    errors = [build.communicate()[1] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], "\n".join(errors)
    return hashes(here), hashes(EMULATOR, there)


def test_each_ran_its_own_kernels(outputs):
    assert [name for name, _ in outputs] == ["plain", "neon"]


def test_neon_gives_the_same_bits(outputs):
    (_, plain), (_, neon) = outputs
    assert neon == plain


def test_every_kernel_and_format_was_run(outputs):
    (_, lines), _ = outputs
    kernels = [line.split()[0] for line in lines]
    assert kernels.count("decode_row") == kernels.count("linear_float") == FORMATS
    assert kernels.count("linear_int8") == FORMATS - 4
    rows = {
        "rms_norm",
        "layer_norm",
        "softcap",
        "silu",
        "sigmoid",
        "gelu",
        "gelu_erf",
        "relu",
        "relu_squared",
        "clamped_swiglu",
        "xielu",
        "route",
        "add_to_targets",
        "add_gated",
    }
    assert {"causal_conv", "selective_scan", "delta_rule"} <= set(kernels)
    assert {"cos_sin", "exp", "log", "inner_product", "divergence"} <= set(kernels)
    assert rows | {"quantize", "store_kv", "attention", "join_attention"} <= set(kernels)
    assert len({line.split()[-1] for line in lines}) == len(lines)
