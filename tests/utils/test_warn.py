"""Warnings of settings: to the user's line, or to whoever hears them."""

from __future__ import annotations

import asyncio
import warnings

import pytest

from foretell.errors import SettingWarning
from foretell.utils.warn import hearing, warn_of_setting


def test_a_warning_points_to_the_users_line():
    with pytest.warns(SettingWarning, match="odd") as found:
        warn_of_setting("odd")
    assert found[0].filename == __file__


def test_whoever_hears_them_gets_the_sentences_and_nobody_else_does():
    heard: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with hearing(heard.append):
            warn_of_setting("odd")
        with pytest.raises(SettingWarning):
            warn_of_setting("odd")
    assert heard == ["odd"]


def test_each_task_hears_its_own_and_those_of_threads_that_it_waits_for():
    heard: dict[str, list[str]] = {"a": [], "b": []}

    async def task(name: str) -> None:
        with hearing(heard[name].append):
            for number in range(3):
                warn_of_setting(f"{name}{number}")
                await asyncio.to_thread(warn_of_setting, f"{name}{number} in a thread")

    async def main() -> None:
        await asyncio.gather(task("a"), task("b"))

    asyncio.run(main())
    for name, sentences in heard.items():
        assert sentences == [f"{name}{n}{end}" for n in range(3) for end in ("", " in a thread")]
