"""The part of a message that a search shows."""

from typing import Final

from bedplate.services.chat.models import Snippet

__all__ = ["snippet_of"]

_CHARS: Final = 400
_BEFORE: Final = 100
_MORE: Final = "…"


def snippet_of(marked: str, marks: tuple[str, str]) -> Snippet:
    """Text and places of matches, from a text in which marks stand around them; at most some 400 characters.

    Databases count words, and a text without spaces may be one word of any length.
    """
    before, behind = marks
    text, matches = "", []
    first, *rest = marked.split(before)
    text = first
    for part in rest:
        match, _, after = part.partition(behind)
        matches.append((len(text), len(text) + len(match)))
        text += match + after
    if len(text) <= _CHARS:
        return Snippet(text=text, matches=tuple(matches))
    begin = max(0, (matches[0][0] if matches else 0) - _BEFORE)
    end = min(len(text), begin + _CHARS)
    head, tail = _MORE if begin else "", _MORE if end < len(text) else ""
    moved = tuple(
        (start - begin + len(head), min(stop, end) - begin + len(head)) for start, stop in matches if start < end
    )
    return Snippet(text=head + text[begin:end] + tail, matches=moved)
