"""What may be said of a server, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from foretell.errors import ConfigError
from foretell.server.options import ServerOptions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "secret") for name in ("model_names", "api_keys", "cors_origins")),
        ("allowed_hosts", "localhost"),
        ("api_keys", None),
        ("api_keys", (b"secret",)),
        *(("api_keys", (key,)) for key in ("", "two words", "sécret", "line\n", "x" * 513)),
        ("model_names", ("",)),
        ("strict", "no"),
        ("log_prompts", 1),
        ("log_probes", "no"),
        *(("body_timeout", value) for value in (0, -1, math.inf, math.nan, True, "5")),
        ("ping_interval", 0),
        ("send_timeout", None),
        ("write_interval", -0.01),
        ("drain_delay", math.nan),
        ("shutdown_timeout", "30"),
        *(("max_body_bytes", value) for value in (0, 1.5, True)),
        ("log_format", "xml"),
        ("defaults", [("temperature", 1)]),
        ("defaults", {"temprature": 1}),
        ("defaults", {"temperature": -1}),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as error:
        ServerOptions(**{name: value})
    if name != "defaults":
        assert str(error.value).startswith(name)
    if name == "api_keys":
        assert "secret" not in str(error.value)


def test_what_makes_sense_is_taken() -> None:
    options = ServerOptions(
        model_names=("a", "b"),
        api_keys=("key-1",),
        allowed_hosts=(),
        write_interval=0,
        drain_delay=0,
        body_timeout=1,
        defaults={"preset": "creative"},
    )
    assert options.model_names == ("a", "b")
    for preset in ("creative", "model"):
        ServerOptions(defaults={"preset": preset})
