"""How to install what an optional part needs, wherever foretell itself came from."""

from __future__ import annotations


def how_to_install(extra: str) -> str:
    """A command that installs what this extra names; it asks for no package called foretell."""
    from importlib.metadata import PackageNotFoundError, requires  # slow, and for messages alone

    try:
        stated = requires("foretell") or []
    except PackageNotFoundError:  # run from its sources
        stated = []
    parts = [one.partition(";") for one in stated]
    wanted = [name.strip() for name, _, marker in parts if _is_of(extra, marker)]
    return "pip install " + " ".join(f"'{name}'" for name in wanted or [f".[{extra}]"])


def _is_of(extra: str, marker: str) -> bool:
    plain = marker.replace('"', "'").replace(" ", "")
    return f"extra=='{extra}'" in plain
