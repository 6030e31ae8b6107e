"""Pictures that foretell draws itself: SVG by hand, and where asked for a PNG of it."""

from __future__ import annotations

import os
import re
from html import escape
from importlib.util import find_spec
from pathlib import Path

from foretell.errors import ConfigError
from foretell.utils.extras import how_to_install
from foretell.utils.files import check_place, write_atomically

PNG_ZOOM = 2

# What XML 1.0 has no place for, not even as a reference.
NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml(text: str) -> str:
    """Text as XML has it."""
    return escape(NOT_XML.sub("�", text))


def check_plot_path(path: Path) -> None:
    """Raise an error if no picture can be written here, as far as can be told before.

    ConfigError for its suffix, its folder or a missing package, OSError where a folder takes none.
    """
    suffix = path.suffix.lower()
    if suffix not in (".svg", ".png"):
        raise ConfigError(f"the picture {str(path)!r} must have a name in .svg or .png")
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"the picture {str(path)!r} must be a file in a folder that exists")
    check_place(path)
    if suffix == ".png" and find_spec("resvg_py") is None:
        raise ConfigError(
            f"the picture {str(path)!r} needs resvg-py: run {how_to_install('plot')}, "
            f"or name a file in .svg"
        )


def save_picture(svg: str, path: str | os.PathLike[str]) -> None:
    """Write a picture as SVG or PNG, by the path's suffix; wholly, or not at all.

    Raises ConfigError as `check_plot_path` does, OSError where the file cannot be written.
    """
    target = Path(path)
    check_plot_path(target)
    data = svg.encode() if target.suffix.lower() == ".svg" else _png(svg)
    write_atomically(target, data)


def _png(svg: str) -> bytes:
    import resvg_py

    return resvg_py.svg_to_bytes(
        svg_string=svg, zoom=PNG_ZOOM, font_family="DejaVu Sans", sans_serif_family="DejaVu Sans"
    )
