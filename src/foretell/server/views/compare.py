"""`/v1/foretell/compare`: several settings over one prompt, side by side; whole or in a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from foretell.analysis.compare import Comparison, RunChunk
from foretell.config.defaults import COMPARE_TOKENS, NUM_SEEDS
from foretell.errors import ConfigError
from foretell.inputs.prompts import Prompt
from foretell.server.errors import ApiError, api_error, invalid
from foretell.server.frames import frame
from foretell.server.limits import MAX_SEEDS, MAX_STRATEGIES, STRATEGY_NAME, STRATEGY_TOKENS
from foretell.server.sorting import Fields, sort_fields
from foretell.server.state import ServerState
from foretell.server.values import checked
from foretell.server.views.prompt import PromptSource, how, limit_length, told, told_last
from foretell.utils.quoting import quote
from foretell.worker.submitted import SubmittedView


async def compare(fields: Fields, state: ServerState) -> bytes:
    """Run several settings over one prompt, and tell what each wrote."""
    prompt, arguments = await _asked(fields, state)
    with _naming(fields):
        found = await state.llm.compare(prompt, **arguments)
    return await told(found, "compare", partial(_add_warnings, found))


@asynccontextmanager
async def watch_compare(fields: Fields, state: ServerState) -> AsyncGenerator[AsyncIterator[bytes]]:
    """The same as events: each piece of a text as it is written, and then the whole."""
    prompt, arguments = await _asked(fields, state)
    with _naming(fields):
        async with state.llm.submit_compare(prompt, **arguments) as submitted:
            yield _events(submitted)


async def _events(submitted: SubmittedView[RunChunk, Comparison]) -> AsyncIterator[bytes]:
    async for parts in submitted:
        yield b"".join(map(_chunk_event, parts))
    found = await submitted.view()
    yield await told_last(found, "compare", partial(_add_warnings, found))


def _chunk_event(part: RunChunk) -> bytes:
    chunk = part.chunk
    data = {
        "object": "foretell.compare.chunk",
        "strategy": part.strategy,
        "run": part.run,
        "seed": part.seed,
        "text": chunk.text,
        "token_ids": chunk.token_ids,
        "logprobs": [token.to_dict() for token in chunk.logprobs or ()],
        "finish_reason": chunk.finish_reason,
    }
    return frame(data)


async def _asked(fields: Fields, state: ServerState) -> tuple[Prompt, dict[str, Any]]:
    """The prompt, and the arguments for the comparison."""
    shared = fields.settings
    limit_length(fields, shared, STRATEGY_TOKENS, COMPARE_TOKENS)
    strategies = _strategies(fields, state)
    seeds = _seeds(fields.own)
    source = PromptSource(fields, state)
    arguments = {"strategies": strategies, "seeds": seeds, **how(fields), **shared}
    return await source.read(), arguments


@contextmanager
def _naming(fields: Fields) -> Iterator[None]:
    """Where a setting is wrong, the error names the field that it came in."""
    try:
        yield
    except ConfigError as error:
        raise _named(error, fields) from error


def _named(error: ConfigError, fields: Fields) -> ApiError:
    """An error with the field that is wrong: a setting of all strategies, or these themselves."""
    inner = error.__cause__
    if inner is None:
        return api_error(error, {**fields.spelled, "seeds": "seeds"})
    param = api_error(inner, fields.spelled).param
    names = {fields.spelled.get(setting, setting) for setting in fields.settings}
    return invalid(str(error), param if param in names else "strategies")


def _add_warnings(found: Comparison, data: dict[str, Any]) -> None:
    for entry, result in zip(data["results"], found.results, strict=True):
        entry["warnings"] = list(result.config.warnings)


def _seeds(own: Mapping[str, Any]) -> Any:
    """The seeds, or how many; AsyncLLM refuses what else is wrong with them."""
    seeds = own.get("seeds", NUM_SEEDS)
    number = len(seeds) if isinstance(seeds, list) else seeds
    if type(number) is not int or not 1 <= number <= MAX_SEEDS:
        raise invalid(
            f"seeds={quote(seeds)} must be 1 to {MAX_SEEDS} seeds, or how many there are", "seeds"
        )
    return seeds


def _strategies(fields: Fields, state: ServerState) -> dict[str, dict[str, Any]] | None:
    """Settings by the name of their strategy; None for the textbook's."""
    sent = checked(fields.own, "strategies", dict, None)
    if sent is None:
        return None
    if not 0 < len(sent) <= MAX_STRATEGIES:
        raise invalid(f"strategies must be 1 to {MAX_STRATEGIES}, by name", "strategies")
    return {name: _strategy(name, wishes, fields, state) for name, wishes in sent.items()}


def _strategy(name: str, wishes: Any, fields: Fields, state: ServerState) -> dict[str, Any]:
    """The settings of one strategy, which have the names and the bounds of all settings."""
    if not STRATEGY_NAME.low <= len(name) <= STRATEGY_NAME.high:
        raise invalid(
            f"the strategy's name {quote(name)} must have {STRATEGY_NAME} characters", "strategies"
        )
    if not isinstance(wishes, dict):
        raise invalid(f"strategies[{quote(name)}] must be an object of settings", "strategies")
    try:
        found = sort_fields(wishes, "strategy", strict=state.options.strict)
        default = fields.settings.get("max_new_tokens", COMPARE_TOKENS)
        limit_length(found, found.settings, STRATEGY_TOKENS, default)
    except ApiError as error:
        message = f"strategies[{quote(name)}]: {error.message}"
        raise invalid(message, "strategies", error.code) from None
    fields.unknown.extend(f"strategies.{name}.{one}" for one in found.unknown)
    return found.settings
