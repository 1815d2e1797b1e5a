"""Spans of a text, and how they are replaced by the mask."""

from collections.abc import Iterable

__all__ = ["MASK", "Span", "mask_spans"]

MASK = "__REDACTED__"

Span = tuple[int, int]
"""Start and end of a secret in a text, as in a slice."""


def mask_spans(text: str, spans: Iterable[Span], limit: int) -> str:
    """Return ``text[:limit]`` with one mask in place of each run of overlapping or adjacent spans."""
    parts: list[str] = []
    position = 0
    masked_to = -1
    for start, end in sorted(spans):
        if start >= limit:
            break
        if start > masked_to:
            parts += (text[position:start], MASK)
        masked_to = max(masked_to, end)
        position = masked_to
    parts.append(text[position:limit])
    return "".join(parts)
