"""What a retriever found, as far as it can be told apart."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

__all__ = ["Document", "documents_of"]

_MOST: Final = 64
_TEXTS: Final = ("text", "content", "page_content")


class Document(msgspec.Struct, frozen=True):
    """One of them.

    Attributes:
        content: Its text.
        id: Its name, if it has one.
        score: How well it fits, if that was said.
    """

    content: str
    id: str | None = None
    score: float | None = None


def documents_of(outputs: Any) -> list[Document]:
    """The documents in what a step gave: a list, or the first list in it."""
    if isinstance(outputs, dict):
        outputs = next((value for value in outputs.values() if isinstance(value, list)), None)
    return list(_documents(outputs[:_MOST])) if isinstance(outputs, list) else []


def _documents(values: list[Any]) -> Iterator[Document]:
    for value in values:
        if isinstance(value, str):
            yield Document(value)
        elif isinstance(value, dict):
            place = value["data"] if isinstance(value.get("data"), dict) else value
            text = next((one for name in _TEXTS if isinstance(one := place.get(name), str)), None)
            if text is not None:
                id_, score = value.get("id"), value.get("score")
                number = float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None
                yield Document(text, id_ if isinstance(id_, str) else None, number)
