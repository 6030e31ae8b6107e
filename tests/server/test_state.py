"""What all routes of one server share."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.toy_async import scripted

from foretell.backends.base import BackendInfo
from foretell.server.lifecycle import Lifecycle
from foretell.server.options import ServerOptions
from foretell.server.state import ServerState

NATIVE = replace(
    scripted().info,
    name="native",
    description="Small in Q4_1, int8 activations, avx2, 2 threads",
    kv_bytes_per_token=100,
)


def fingerprint(info: BackendInfo = NATIVE, model: str = "small", served: str = "a") -> str:
    llm = cast(Any, SimpleNamespace(info=info, model_name=model))
    return ServerState(llm, ServerOptions(model_names=(served,)), Lifecycle()).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        {"served": "gpt-4"},
        {"info": replace(NATIVE, description="Small in Q4_1, int8 activations, neon, 1 thread")},
        {"info": replace(NATIVE, threads=1, num_blocks=7)},
    ],
)
def test_what_changes_no_token_is_no_part_of_the_fingerprint(other: dict[str, Any]) -> None:
    assert fingerprint(**other) == fingerprint()


@pytest.mark.parametrize(
    "other",
    [
        {"model": "large"},
        {"info": replace(NATIVE, description="Small in Q8_0, int8 activations, avx2, 2 threads")},
        {"info": replace(NATIVE, description="Small in Q4_1, f32 activations, avx2, 2 threads")},
        {"info": replace(NATIVE, kv_bytes_per_token=50)},
        {"info": replace(NATIVE, name="scripted")},
    ],
)
def test_what_changes_tokens_changes_the_fingerprint(other: dict[str, Any]) -> None:
    assert fingerprint(**other) != fingerprint()
