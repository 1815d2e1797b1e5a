"""What is recorded of the values that callers hand in: redacted and bounded, before anything keeps it."""

from collections.abc import Mapping
from typing import Any

from bedplate.services.engines.redactor import Limits, Measured, Redactor
from bedplate.services.settings.groups.tracing import TracingSettings
from bedplate.services.tracing.guard import Guard
from bedplate.services.tracing.models import SpanKind, Status, TokenUsage

__all__ = ["Content"]

_MAX_NAME = 255
_MAX_ERROR = 4096
_MAX_TOKENS = 2**31 - 1
_UNREADABLE = "[unreadable]"
_NOTHING = Measured(value=None, size=0)
_KINDS = {name: kind for kind in SpanKind for name in (kind, kind.value, kind.value.lower())}
_NO_TOKENS = TokenUsage()
_NO_FIELDS = Measured(value={}, size=0)


class Content:
    """Turns values of any kind into what may be recorded; never raises an ``Exception``.

    Args:
        redactor: Masks secrets.
        settings: Limits.
        guard: Swallows what values raise when they are read.
    """

    def __init__(self, redactor: Redactor, settings: TracingSettings, guard: Guard) -> None:
        self._redactor = redactor
        self._settings = settings
        self._guard = guard

    def value(self, value: Any, *, size: int | None = None) -> Measured:
        """Return a redacted copy, cut to ``size`` bytes, or to the limit of the settings."""
        if value is None:
            return _NOTHING
        limits = Limits(
            depth=self._settings.max_value_depth,
            items=self._settings.max_value_items,
            size=self._settings.max_value_bytes if size is None else size,
        )
        return self._redactor.measured(value, limits=limits)

    def fields(self, value: Mapping[str, Any] | None, *, size: int | None = None) -> Measured:
        """Return a redacted copy of a mapping; of anything else, a mapping that holds it."""
        if value is None:
            return _NO_FIELDS
        measured = self.value(value, size=size)
        if isinstance(measured.value, dict):
            return measured
        return Measured(value={"value": measured.value}, size=measured.size)

    def name(self, value: object) -> str:
        """Return a name, redacted and cut."""
        if type(value) is str:
            return self._text(value, _MAX_NAME)
        with self._guard:
            return self._text(str(value), _MAX_NAME)
        return _UNREADABLE

    def optional_name(self, value: object | None) -> str | None:
        """Return a name, redacted and cut, or None."""
        return None if value is None else self.name(value)

    def error(self, value: BaseException | str | None) -> str | None:
        """Return the text of an error, redacted and cut."""
        if value is None:
            return None
        kind = f"{type(value).__qualname__}: " if issubclass(type(value), BaseException) else ""
        with self._guard:
            return self._text(f"{kind}{value}".removesuffix(": "), _MAX_ERROR)
        return f"{kind}{_UNREADABLE}"

    def usage(self, value: Any) -> TokenUsage:
        """Return the tokens of a mapping or object that names them as any of the usual interfaces does."""
        if value is None:
            return _NO_TOKENS
        with self._guard:
            return TokenUsage(
                input_tokens=_number(value, "input_tokens", "prompt_tokens"),
                output_tokens=_number(value, "output_tokens", "completion_tokens"),
            )
        return _NO_TOKENS

    def kind(self, value: SpanKind | str) -> SpanKind:
        """Return the kind of this name; ``CHAIN`` for one that is unknown."""
        if type(value) is str and (known := _KINDS.get(value)) is not None:
            return known
        with self._guard:
            return SpanKind(value)
        return SpanKind.CHAIN

    def status(self, value: Status | None, error: object | None) -> Status:
        """Return the status that was given, else the one that follows from there being an error."""
        if value is not None:
            with self._guard:
                return Status(value)
        return Status.OK if error is None else Status.ERROR

    def _text(self, text: str, limit: int) -> str:
        masked = self._redactor.text(text, limit=limit)
        if masked.isascii() and masked.isprintable():
            return masked
        return masked.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _number(value: Any, *names: str) -> int:
    is_mapping = type(value) is dict or isinstance(value, Mapping)
    for name in names:
        found = value.get(name) if is_mapping else getattr(value, name, None)
        if isinstance(found, int):
            return found if 0 <= found <= _MAX_TOKENS else max(0, min(found, _MAX_TOKENS))
    return 0
