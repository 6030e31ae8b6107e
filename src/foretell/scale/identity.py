"""What tells the model of a job, opened as it is, from all others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from foretell.hub import resolve
from foretell.loading.fingerprint import model_sha256
from foretell.loading.options import ModelOptions
from foretell.loading.origin import ModelOrigin, adapter_facts, telling
from foretell.receipts.facts import AdapterFacts
from foretell.server.options import called

Identity = dict[str, str]


def identity_of_name(model: str, settings: Mapping[str, Any]) -> Identity:
    """Of a model by its name or path, and the arguments of `LLM` that it is to be opened with.

    Its files are hashed. Raises what opening it would raise where there is none such.
    """
    names = {item.name for item in fields(ModelOptions)}
    options = ModelOptions(**{name: settings[name] for name in names & settings.keys()})
    sha256 = model_sha256(resolve(model, options.revision))
    return _identity(called(model), sha256, telling(options), adapter_facts(options))


def identity_of(origin: ModelOrigin, description: str) -> Identity:
    """Of a model that is open; of an object no more is known than its description."""
    facts = origin.facts
    if origin.given is None or facts.sha256 is None:
        return {"name": description, "sha256": "unknown"}
    return _identity(called(origin.given), facts.sha256, facts.options, facts.adapters)


def _identity(
    name: str, sha256: str, options: Mapping[str, Any], adapters: Iterable[AdapterFacts]
) -> Identity:
    told = {option: str(value) for option, value in sorted(options.items()) if option != "adapters"}
    merged = {f"adapter {one.name}": f"{one.sha256}, {one.weight:g}" for one in adapters}
    return {"name": name, "sha256": sha256, **told, **merged}
