"""Masks secrets in a text that comes in pieces."""

from collections.abc import Callable, Collection

__all__ = ["StreamMask"]


class StreamMask:
    """Masks a stream of text as if it were one, holding back no more than what may be the beginning of a secret.

    Args:
        mask: Masks a whole text.
        secrets: The values that may come in pieces; looked at anew with every piece.
    """

    def __init__(self, mask: Callable[[str], str], secrets: Collection[str]) -> None:
        self._mask = mask
        self._secrets = secrets
        self._held = ""

    def feed(self, text: str) -> str:
        """Take a piece; returns what can be shown now, which may be nothing."""
        text = self._held + text
        keep = len(text) - self._suspicious(text)
        self._held = text[keep:]
        return self._mask(text[:keep])

    def rest(self) -> str:
        """What was held back, when no piece follows."""
        text, self._held = self._held, ""
        return self._mask(text)

    def _suspicious(self, text: str) -> int:
        """Length of the longest end of the text that a secret begins with."""
        longest = 0
        for secret in self._secrets:
            for length in range(min(len(text), len(secret) - 1), longest, -1):
                if text.endswith(secret[:length]):
                    longest = length
                    break
        return longest
