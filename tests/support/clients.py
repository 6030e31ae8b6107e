"""Which tests of clients need the environment of `make test-clients`; others leave them out."""

from __future__ import annotations

import os

HEAVY = (
    "test_ai_sdk.py",
    "test_instructor.py",
    "test_langchain.py",
    "test_litellm.py",
    "test_llm_cli.py",
    "test_lm_eval.py",
    "test_pydantic_ai.py",
    "test_schemathesis.py",
    "test_snippets.py",
)
"""Files in tests/server/clients."""

IS_COMPLETE = "FORETELL_CLIENTS" in os.environ
"""Whether these run, and nothing may be skipped for what is not installed."""

RAY_PYTHON = os.environ.get("FORETELL_ON_RAY", "")
"""The Python that has Ray, where the servers' models shall be replicas there."""
