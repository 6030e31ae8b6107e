"""Requests made from the OpenAPI document: each is answered as the document says.

`FORETELL_FUZZ=200` makes so many a path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from support.served import served

from foretell.server.openapi.document import OPERATIONS
from foretell.server.options import ServerOptions

EXAMPLES = int(os.environ.get("FORETELL_FUZZ", "40"))
KEYED = {"Authorization": "Bearer secret"}
METHODS = {path: "POST" if operation.route else "GET" for path, operation in OPERATIONS.items()}
POSTS = [path for path, method in METHODS.items() if method == "POST"]


@pytest.fixture(scope="module")
def document() -> Iterator[Any]:
    """What a toy server says of itself, and the server."""
    with served(options=ServerOptions(model_names=("toy",), api_keys=("secret",))) as server:
        url = f"{server.url.removesuffix('/v1')}/openapi.json"
        yield schemathesis.openapi.from_url(url, headers=KEYED)


@pytest.mark.parametrize("path", METHODS)
def test_what_is_right_is_answered_as_the_document_says(document: Any, path: str):
    # a schema knows nothing of the length of a context, nor of settings that exclude each other
    ask(document[path][METHODS[path]], GenerationMode.POSITIVE, positive_data_acceptance)


@pytest.mark.parametrize("path", POSTS)
def test_what_is_wrong_is_refused(document: Any, path: str):
    ask(document[path]["POST"], GenerationMode.NEGATIVE)


def ask(operation: Any, mode: GenerationMode, *excluded: Any) -> None:
    """Make requests, and hold each answer to all of Schemathesis' checks but these."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES <= 40,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case) -> None:
        response = case.call(headers=KEYED, timeout=60)
        is_too_large = response.status_code == 413  # which Schemathesis does not count as refused
        others = [negative_data_rejection] if is_too_large else []
        case.validate_response(response, excluded_checks=[*excluded, *others])

    send()
