"""Lines of a job's input: which are requests, and why the others are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foretell.scale.rows import SEED_BITS, Row, read_row, row_seed

CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"
ASKED = {"custom_id": "a", "method": "POST", "url": CHAT, "body": {"messages": []}}


def line(data: Any) -> bytes:
    return json.dumps(data).encode() + b"\n"


@pytest.mark.parametrize(
    ("data", "row"),
    [
        (ASKED, Row("a", CHAT, {"messages": []})),
        ({**ASKED, "url": COMPLETION}, Row("a", COMPLETION, {"messages": []})),
        (
            {"prompt": "x", "temperature": 0},
            Row("row-7", COMPLETION, {"prompt": "x", "temperature": 0}),
        ),
        ({"custom_id": "b", "messages": [1]}, Row("b", CHAT, {"messages": [1]})),
        ({"prompt": "x", "custom_id": None}, Row("row-7", COMPLETION, {"prompt": "x"})),
    ],
)
def test_both_forms_are_read(data: Any, row: Row) -> None:
    assert read_row(line(data), 7) == row


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"{", "line 7 is not JSON"),
        (b"\xff\xfe", "line 7 is not JSON"),
        (b"[" * 100_000, "line 7 is not JSON"),
        (line([]), "must be a JSON object"),
        (line({**ASKED, "custom_id": 7}), "custom_id=7 must be a text"),
        (line({**ASKED, "custom_id": ""}), "custom_id='' must be a text of 1 to 512"),
        (line({**ASKED, "custom_id": "\ud800"}), "must be a text"),
        (line({**ASKED, "url": "/v1/embeddings"}), "url='/v1/embeddings' must be /v1/chat"),
        (line({**ASKED, "method": "GET"}), "method='GET' must be POST"),
        (line({**ASKED, "body": 3}), "body=3 must be an object"),
    ],
)
def test_what_is_no_request_says_why(data: bytes, fault: str) -> None:
    found = read_row(data, 7).fault
    assert found is not None
    assert fault in found


def test_seeds_follow_from_the_job_and_the_id() -> None:
    seeds = {row_seed(job, f"row-{number}") for job in (0, 1) for number in range(1000)}
    assert len(seeds) == 2000
    assert max(seeds) < 2**SEED_BITS


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read_row(b"\xef\xbb\xbf" + line({"prompt": "x"}), 1).body == {"prompt": "x"}
