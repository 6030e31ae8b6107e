"""What an exception is to the one who asked."""

from __future__ import annotations

import pytest

from foretell.errors import ClosedError
from foretell.server.errors import api_error
from foretell.streaming.job import with_prompt_index


@pytest.mark.parametrize("index", [None, 3])
def test_a_model_that_was_closed_is_not_there_at_the_moment(index: int | None) -> None:
    told = api_error(with_prompt_index(ClosedError("it was closed"), index))
    assert (told.status, told.headers["retry-after"]) == (503, "5")
