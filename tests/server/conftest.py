"""Fixtures of the tests of connections."""

from __future__ import annotations

import importlib

import pytest

from foretell.server import connections


@pytest.fixture(params=["h11_impl:H11Protocol", "httptools_impl:HttpToolsProtocol"])
def _parser(request, monkeypatch):
    module, name = request.param.split(":")
    if module.startswith("httptools"):
        pytest.importorskip("httptools")
    protocols = importlib.import_module(f"uvicorn.protocols.http.{module}")
    monkeypatch.setattr(connections, "AutoHTTPProtocol", getattr(protocols, name))
