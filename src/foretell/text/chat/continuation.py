"""Prompts that end in the middle of the last message, for the model to go on with it.

Templates put an end of turn behind a message, and often trim it. So a mark is put behind its text,
with white space after it that tells whether the template trims there, and the prompt is cut at it.
"""

from __future__ import annotations

from foretell.errors import RequestError

_SPACE = "\u205f"  # white space to whoever trims, and nobody writes it


def mark_end(content: str, mark: str) -> str:
    """The content with the mark, a character of its own, behind it."""
    return content + mark + _SPACE


def cut_at_mark(prompt: str, content: str, mark: str) -> str:
    """The prompt up to the end of the content, without the white space there if it was trimmed.

    RequestError if the template does not show the content as it is, or not to its end.
    """
    end = prompt.rfind(mark)
    if end < 0 or content.strip() not in prompt:
        raise RequestError(
            "continue_final_message=True does not suit the chat template: it must show the last "
            "message as it is, to its end"
        )
    text = prompt[:end].replace(mark + _SPACE, "").replace(mark, "")  # of where it stands before
    if prompt.startswith(_SPACE, end + 1):
        return text
    return text.removesuffix(content[len(content.rstrip()) :])
