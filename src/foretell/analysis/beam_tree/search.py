"""Asks for a beam search that is recorded, and makes the tree of its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foretell.analysis.beam_tree.growth import TreeGrowth
from foretell.analysis.beam_tree.tree import BeamTree
from foretell.analysis.tasks import Analysis, GenerationTask
from foretell.config import GenerationConfig
from foretell.config.defaults import BEAMS_TOKENS, NUM_BEAMS
from foretell.decoding.strategies.beam_records import BeamStep
from foretell.errors import ConfigError
from foretell.inputs.processor import merge_settings
from foretell.inputs.prompts import Prompt
from foretell.outputs import GenerationOutput

if TYPE_CHECKING:
    from foretell.text.tokenizer import Tokenizer


def beams(
    tokenizer: Tokenizer,
    prompt: Prompt,
    config: GenerationConfig | None = None,
    *,
    parse_special: bool = False,
    on_step: Callable[[BeamStep], None] | None = None,
    **settings: Any,
) -> Analysis[BeamTree]:
    """Continue a prompt by beam search, and show all that it considered.

    Arguments and errors are those of `LLM.generate`, but for one prompt alone: `num_beams` is 5
    where none is stated, and there are at most 5 tokens where no length is. The texts are those of
    `generate`. `on_step` is called with each record as it is made, in the engine's thread.
    """
    require_beams(settings.get("num_beams"))
    complete = merge_settings(config, _with_beams(config, settings))
    steps: list[BeamStep] = []

    def record(step: BeamStep) -> None:
        steps.append(step)
        if on_step is not None:
            on_step(step)

    extras = {"on_step": record}
    outputs = yield [GenerationTask(prompt, complete, parse_special, BEAMS_TOKENS, extras)]
    return tree_of(steps, outputs, tokenizer)


def tree_of(
    steps: Sequence[BeamStep], outputs: list[GenerationOutput], tokenizer: Tokenizer
) -> BeamTree:
    """The tree of a search, from the records of its steps and its outputs."""
    one = outputs[0]
    growth = TreeGrowth(tokenizer, one.prompt_token_ids, one.config)
    for step in steps:
        growth.add(step)
    return BeamTree(
        prompt=one.prompt,
        prompt_token_ids=one.prompt_token_ids,
        config=one.config,
        steps=growth.steps,
        hypotheses=growth.hypotheses,
        end=steps[-1].end or "exhausted",
        outputs=outputs,
    )


def require_beams(num_beams: int | None) -> None:
    """Raise ConfigError for the one number that makes no tree; None stands for the default."""
    if num_beams == 1:
        raise ConfigError("num_beams=1 searches no tree: must be at least 2")


def _with_beams(config: GenerationConfig | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    stated = config.stated if isinstance(config, GenerationConfig) else {}
    if {**stated, **settings}.get("num_beams") is not None:
        return dict(settings)
    return {**settings, "num_beams": NUM_BEAMS}
