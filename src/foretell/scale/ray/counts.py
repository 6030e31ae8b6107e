"""Counts of rows, requests and tokens among Ray's own metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from foretell.server.metrics import Metrics
from foretell.server.record import RequestRecord

WORDS = {
    "foretell_rows": "Rows that were answered; is_refused tells whether with an error.",
    "foretell_requests": "Requests that were answered, by their status of HTTP.",
    "foretell_prompt_tokens": "Tokens of prompts.",
    "foretell_generation_tokens": "Tokens that were generated.",
}
TAGS = {"foretell_rows": ("is_refused",), "foretell_requests": ("status",)}


class Counts:
    """Counters of Ray's, of one process."""

    def __init__(self) -> None:
        from ray.util.metrics import Counter

        self._counters = {
            name: Counter(name, description=words, tag_keys=TAGS.get(name, ()))
            for name, words in WORDS.items()
        }

    def add(self, name: str, number: int, **tags: str) -> None:
        """Count."""
        if number > 0:
            self._counters[name].inc(number, tags=tags or None)

    def add_lines(self, lines: Sequence[bytes]) -> None:
        """Count rows by their answers, as lines of OpenAI's batches."""
        refused = prompt = generated = 0
        for line in lines:
            answer: dict[str, Any] = json.loads(line)
            refused += answer["error"] is not None
            usage = answer["response"]["body"].get("usage", {})
            prompt += usage.get("prompt_tokens", 0)
            generated += usage.get("completion_tokens", 0)
        self.add("foretell_rows", len(lines) - refused, is_refused="no")
        self.add("foretell_rows", refused, is_refused="yes")
        self.add("foretell_prompt_tokens", prompt)
        self.add("foretell_generation_tokens", generated)


class CountedMetrics(Metrics):
    """A server's counts, told to Ray too.

    Args:
        counts: which Ray has.
    """

    def __init__(self, counts: Counts) -> None:
        super().__init__()
        self._counts = counts

    def note(self, record: RequestRecord) -> None:
        """Count a request that has ended just now."""
        super().note(record)
        if record.is_probe:
            return
        self._counts.add("foretell_requests", 1, status=str(record.status))
        self._counts.add("foretell_prompt_tokens", record.prompt_tokens)
        self._counts.add("foretell_generation_tokens", record.completion_tokens)
