"""What became of every row."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

__all__ = ["Entry", "ImportReport", "Outcome"]


class Outcome(StrEnum):
    """What became of a row.

    Attributes:
        CARRIED: It is here now, as it was there.
        CHANGED: It is here now, but not quite as it was; the entry says what is different.
        PRESENT: It was here before.
        LEFT_OUT: It is not here; the entry says why.
    """

    CARRIED = "carried over"
    CHANGED = "changed"
    PRESENT = "already here"
    LEFT_OUT = "left out"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A row, or many alike, that did not come as it was.

    Attributes:
        table: The table of the source.
        id: The id of the row there; empty where the entry stands for many.
        name: What people call it, if that is no secret.
        outcome: ``CHANGED`` or ``LEFT_OUT``.
        reason: What is different, or why it was left out.
        rows: How many rows the entry stands for.
    """

    table: str
    id: str
    name: str
    outcome: Outcome
    reason: str
    rows: int = 1


class ImportReport:
    """Counts every row of the source, and names each one that did not come as it was."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[Outcome]] = {}
        self._entries: list[Entry] = []

    @property
    def counts(self) -> Mapping[str, Mapping[Outcome, int]]:
        """How many rows of each table had which outcome."""
        return self._counts

    @property
    def entries(self) -> Sequence[Entry]:
        """Every row that was changed or left out."""
        return self._entries

    def carried(self, table: str) -> None:
        """Note a row that came as it was."""
        self._count(table, Outcome.CARRIED)

    def present(self, table: str) -> None:
        """Note a row that was here before."""
        self._count(table, Outcome.PRESENT)

    def changed(self, table: str, key: object, name: str, reasons: Sequence[str]) -> None:
        """Note a row that came; without reasons, as it was."""
        self._count(table, Outcome.CHANGED if reasons else Outcome.CARRIED)
        for reason in reasons:
            self._entries.append(Entry(table=table, id=str(key), name=name, outcome=Outcome.CHANGED, reason=reason))

    def left_out(self, table: str, key: object, name: str, reason: str, *, rows: int = 1) -> None:
        """Note a row that did not come, or many for the same reason."""
        self._count(table, Outcome.LEFT_OUT, rows)
        entry = Entry(table=table, id=str(key), name=name, outcome=Outcome.LEFT_OUT, reason=reason, rows=rows)
        self._entries.append(entry)

    def of(self, table: str, outcome: Outcome) -> int:
        """How many rows of the table had the outcome."""
        return self._counts.get(table, Counter())[outcome]

    def _count(self, table: str, outcome: Outcome, rows: int = 1) -> None:
        self._counts.setdefault(table, Counter())[outcome] += rows
