"""What may be meant by a name that is not there."""

import pytest

from foretell.utils.suggestions import did_you_mean

KNOWN = ("top_k", "top_p", "temperature")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("temprature", "did you mean 'temperature'?"),
        ("top-k", "did you mean 'top_k'?"),
        ("xyzzy", "there are three"),
        ("", "there are three"),
    ],
)
def test_the_name_most_alike_is_proposed(name: str, says: str) -> None:
    assert did_you_mean(name, KNOWN, "there are three") == says
    assert did_you_mean(name, iter(KNOWN), "there are three") == says
