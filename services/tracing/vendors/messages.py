"""The messages in what a language model was given, and gave, as far as they can be told apart."""

from typing import Any, Final

__all__ = ["Message", "input_messages", "output_messages", "query_of"]

Message = tuple[str, str]
"""Role and text."""

_MOST: Final = 64
_SYSTEM: Final = ("system_message", "system_prompt", "system")
_ASKED: Final = ("input_value", "prompt", "question", "text", "input")
_ANSWERED: Final = ("text", "text_output", "answer", "message", "output", "content")


def input_messages(value: Any, text: str | None) -> list[Message]:
    """What a model was given.

    Args:
        value: Its inputs.
        text: The same as text: what they are where no messages are to be seen in them.
    """
    if text is None:
        return []
    found: list[Message] = []
    if isinstance(value, dict):
        found += [("system", one) for one in _texts(value, _SYSTEM)[:1]]
        if isinstance(listed := value.get("messages"), list):
            found += [message for one in listed[:_MOST] if (message := _message(one)) is not None]
        else:
            found += [("user", one) for one in _texts(value, _ASKED)[:1]]
    return found if any(role != "system" for role, _ in found) else [*found, ("user", text)]


def query_of(value: Any) -> str | None:
    """What a retriever was asked for, where that is to be seen in its inputs."""
    found = _texts(value, ("query", "search_query", *_ASKED)) if isinstance(value, dict) else [_text(value)]
    return found[0] if found and found[0] else None


def output_messages(value: Any, text: str | None) -> list[Message]:
    """What a model gave; the arguments are those of :func:`input_messages`."""
    if text is None:
        return []
    found = _texts(value, _ANSWERED) if isinstance(value, dict) else []
    return [("assistant", found[0] if found else text)]


def _texts(value: dict[Any, Any], names: tuple[str, ...]) -> list[str]:
    return [found for name in names if (found := _text(value.get(name)))]


def _text(value: Any) -> str:
    """A text, or that of a message; empty: it is neither."""
    text = value.get("text") if isinstance(value, dict) else value
    return text if isinstance(text, str) else ""


def _message(value: Any) -> Message | None:
    if not isinstance(value, dict):
        return None
    role, text = value.get("role") or value.get("sender"), value.get("content") or value.get("text")
    if not isinstance(role, str) or not isinstance(text, str):
        return None
    return {"human": "user", "ai": "assistant", "machine": "assistant"}.get(role.lower(), role.lower()), text
