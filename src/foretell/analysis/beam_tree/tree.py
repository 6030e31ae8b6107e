"""The tree of a beam search: all that it considered, in one object."""

from __future__ import annotations

import operator
import os
from dataclasses import dataclass

from foretell.analysis.beam_tree.html import fragment
from foretell.analysis.beam_tree.picture import save_tree
from foretell.analysis.beam_tree.results import BeamHypothesis, TreeStep
from foretell.analysis.beam_tree.tables import MAX_COLUMNS, hypothesis_lines, step_lines
from foretell.analysis.beam_tree.words import end_of, sentences
from foretell.config import GenerationConfig
from foretell.decoding.strategies.beam_records import SearchEnd
from foretell.errors import RequestError
from foretell.outputs import GenerationOutput, JsonMixin
from foretell.utils.display import count, show_indices


@dataclass(frozen=True, repr=False)
class BeamTree(JsonMixin):
    """All that a beam search considered; `str()` draws it in plain text, `plot` as a picture.

    Attributes:
        prompt, prompt_token_ids: what was continued.
        config: the settings in force, the seed drawn included.
        steps: a token each; counted from 0, as are the beams of a step.
        hypotheses: the finished texts that were left, best first.
        end: why the search ended: nothing went on ("exhausted"), `early_stopping=True` had its
            texts ("enough"), or the best live beam would not outdo the worst of them ("settled").
        outputs: what `generate` gives: the `num_return_sequences` best texts.
    """

    prompt: str
    prompt_token_ids: list[int]
    config: GenerationConfig
    steps: list[TreeStep]
    hypotheses: list[BeamHypothesis]
    end: SearchEnd
    outputs: list[GenerationOutput]

    def why(self, step: int, token: str | int) -> str:
        """What became of a token, by its text or id, in a sentence for each beam that had it.

        RequestError if there is no such step.
        """
        index = operator.index(step)
        if not 0 <= index < len(self.steps):
            legal = show_indices(len(self.steps))
            raise RequestError(f"step {step} is out of range: must be {legal}")
        return " ".join(sentences(self.steps[index], token, self.config))

    def drawn(self, columns: int = MAX_COLUMNS) -> str:
        """The tree in plain text, in so many columns; at most 100, at least 40."""
        end = end_of(self.end, len(self.hypotheses))
        table = [
            *step_lines(self.prompt, self.steps, self.config, columns),
            "",
            *hypothesis_lines(self.hypotheses, end, self.config, columns),
        ]
        return "\n".join(table)

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the tree to a file, .svg or .png; ConfigError if that cannot be."""
        save_tree(self, path)

    def __str__(self) -> str:
        return self.drawn()

    def _repr_html_(self) -> str:
        end = end_of(self.end, len(self.hypotheses))
        return fragment(self.prompt, self.steps, self.hypotheses, end, self.config)

    def __repr__(self) -> str:
        hypotheses = count(len(self.hypotheses), "hypothesis", "hypotheses")
        return f"BeamTree({count(len(self.steps), 'step')}, {hypotheses})"
