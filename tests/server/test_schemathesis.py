"""Requests that are made from the OpenAPI document: none may make the server fail.

`FORETELL_FUZZ=200` makes so many a path, in place of a few.
"""

from __future__ import annotations

import os

import hypothesis
import pytest
from support.http_server import listening
from support.toy_async import scripted
from support.toy_chat import chatting_tokenizer

from foretell import AsyncLLM
from foretell.server.openapi.document import OPERATIONS
from foretell.server.options import ServerOptions

schemathesis = pytest.importorskip("schemathesis")

EXAMPLES = int(os.environ.get("FORETELL_FUZZ", "5"))
KEY = "a key of the tests"
SMALL = {"context_length": 256, "num_blocks": 256}


@pytest.fixture(scope="module")
def schema():
    """The document of a toy server, and the server."""
    options = ServerOptions(model_names=("toy",), api_keys=(KEY,))
    llm = AsyncLLM(scripted(**SMALL), tokenizer=chatting_tokenizer())
    with listening(llm, options) as url:
        headers = {"Authorization": f"Bearer {KEY}"}
        yield schemathesis.openapi.from_url(f"{url}/openapi.json", headers=headers)


def checks():
    from schemathesis import checks
    from schemathesis.specs.openapi import checks as openapi

    return [
        checks.not_a_server_error,
        openapi.status_code_conformance,
        openapi.content_type_conformance,
        openapi.response_schema_conformance,
        openapi.ignored_auth,
        openapi.unsupported_method,
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", OPERATIONS)
def test_no_request_makes_the_server_fail(schema, path):
    method = "POST" if OPERATIONS[path].route else "GET"

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES < 10,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=schema[path][method].as_strategy())
    def ask(case):
        response = case.call(headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
        case.validate_response(response, checks=checks())

    ask()
