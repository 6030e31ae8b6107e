"""The browser of whoever has started a server."""

from __future__ import annotations

import os
import threading
import webbrowser

from foretell.server.log import log_event
from foretell.server.options import ServerOptions


def show(url: str, options: ServerOptions) -> None:
    """Open an address in the browser; where there is none that can be opened, say so.

    Some browsers keep whoever opens them waiting, so it is done in a thread that nobody waits for.
    """
    threading.Thread(target=_show, args=(url, options), daemon=True, name="browser").start()


def _show(url: str, options: ServerOptions) -> None:
    if not _opens(url):
        log_event(f"no browser could be opened here: open {url} in yours", options)


def _opens(url: str) -> bool:
    try:
        browser = webbrowser.get()
        return _may_open(browser) and browser.open(url)
    except (webbrowser.Error, OSError):
        return False


def _may_open(browser: webbrowser.BaseBrowser) -> bool:
    """Whether it has a window of its own, or is wanted as it is: one of text takes the terminal."""
    is_of_text = type(browser) is webbrowser.GenericBrowser
    return not is_of_text or bool(os.environ.get("BROWSER"))
