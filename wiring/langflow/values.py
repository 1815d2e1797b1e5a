"""Values of a source row, whichever database it comes from: SQLite keeps ids, times and JSON as texts."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from bedplate.services.text import storable
from bedplate.wiring.langflow.errors import UnusableError

__all__ = ["SourceRow"]


class SourceRow:
    """A row of a source table; a column that it does not have reads as null.

    Every method raises ``UnusableError``, naming the column, for a value that is not of the kind asked for.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def id(self, column: str = "id") -> uuid.UUID:
        """An id that must be there."""
        if (found := self.id_or_none(column)) is None:
            raise UnusableError(f"it has no {column}")
        return found

    def id_or_none(self, column: str) -> uuid.UUID | None:
        """An id."""
        value = self._values.get(column)
        if value is None or isinstance(value, uuid.UUID):
            return value
        try:
            return uuid.UUID(str(value))
        except ValueError:
            raise UnusableError(f"its {column} is no UUID") from None

    def text(self, column: str) -> str:
        """A text; null reads as the empty one."""
        return self.text_or_none(column) or ""

    def text_or_none(self, column: str) -> str | None:
        """A text, with what no database can hold replaced."""
        value = self._values.get(column)
        if value is None:
            return None
        if not isinstance(value, str):
            raise UnusableError(f"its {column} is no text")
        text: str = storable(value)
        return text

    def flag(self, column: str, *, default: bool = False) -> bool:
        """A truth value; null reads as the default."""
        value = self._values.get(column)
        return default if value is None else bool(value)

    def number(self, column: str) -> int:
        """A whole number; null reads as 0."""
        value = self._values.get(column)
        if value is None:
            return 0
        if not isinstance(value, int):
            raise UnusableError(f"its {column} is no whole number")
        return value

    def time(self, column: str) -> datetime | None:
        """A moment; one without a zone is in UTC, as Langflow writes them."""
        value = self._values.get(column)
        if value is None:
            return None
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value.removesuffix(" UTC"))
            except ValueError:
                raise UnusableError(f"its {column} is no time") from None
        if not isinstance(value, datetime):
            raise UnusableError(f"its {column} is no time")
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def json(self, column: str) -> Any:
        """A JSON value, with what no database can hold replaced in its texts."""
        value = self._values.get(column)
        if isinstance(value, str | bytes):
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError:
                raise UnusableError(f"its {column} is not JSON") from None
        return storable(value)

    def object(self, column: str) -> dict[str, Any] | None:
        """A JSON object."""
        value = self.json(column)
        if value is not None and not isinstance(value, dict):
            raise UnusableError(f"its {column} is no JSON object")
        return value

    def list(self, column: str) -> "list[Any]":
        """A JSON list, perhaps written as a text once more; null reads as the empty one."""
        value = self.json(column)
        if isinstance(value, str):
            value = SourceRow({column: value}).json(column)
        if value is None:
            return []
        if not isinstance(value, list):
            raise UnusableError(f"its {column} is no JSON list")
        return value
