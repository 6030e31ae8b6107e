"""How few tokens a text can have, from its length alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

MAX_COMPOSED = 4  # characters that Unicode's NFC makes one of


@dataclass(frozen=True)
class TokenBound:
    """What bounds a text's tokens from below.

    Attributes:
        longest: characters of a text that one token stands for at most.
        dropped: characters that have no token.
    """

    longest: int
    dropped: str = ""

    def min_tokens(self, text: str) -> int:
        """Tokens that the text has at least."""
        kept = len(text) - sum(map(text.count, self.dropped))
        return -(-kept // self.longest)


def dropped_characters(spelled: Collection[str], alphabet: list[str]) -> str | None:
    """The characters that a byte-level vocabulary drops, which has no token for their bytes.

    None where it lacks bytes of which longer characters consist but for the first: too many.

    Args:
        spelled: the tokens.
        alphabet: what each byte is spelled as.
    """
    if not all(alphabet[byte] in spelled for byte in range(0x80, 0xC0)):
        return None
    return "".join(chr(byte) for byte in range(0x80) if alphabet[byte] not in spelled)
