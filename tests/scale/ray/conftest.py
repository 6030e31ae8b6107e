"""A Ray cluster of this machine for all tests of this folder, where Ray is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ray_openings import let_workers_find_the_tests

from foretell.scale.ray.cluster import OBJECT_STORE_BYTES, Cluster

NUM_CPUS = 4


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """With more CPUs to reserve than there are, so that workers can be many."""
    ray = pytest.importorskip("ray")
    let_workers_find_the_tests()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        address="local",
        num_cpus=NUM_CPUS,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        logging_level="ERROR",
        log_to_driver=False,
    )
    try:
        yield Cluster(ray, is_ours=True)
    finally:
        ray.shutdown()


@pytest.fixture(scope="session")
def address(cluster: Cluster) -> str:
    """Where another process finds the cluster."""
    found: str = cluster.ray.get_runtime_context().gcs_address
    return found


@pytest.fixture(scope="session")
def toy_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy model's file."""
    pytest.importorskip("ray")
    from support.toy_file import write_toy

    return write_toy(tmp_path_factory.mktemp("model") / "toy.gguf")
