"""What waits to be exported: bounded, the latest record of each run and span, in the order in which they began."""

import threading
from enum import StrEnum
from typing import Any

import msgspec

from bedplate.services.tracing.exporter import Record, RunRecord, SpanRecord

__all__ = ["Buffer", "Put"]


class Put(StrEnum):
    """What became of a record that was put into a buffer."""

    KEPT = "kept"
    STRIPPED = "stripped"
    """Kept without its contents, as there are too many bytes already."""
    DROPPED = "dropped"
    """There are too many records already."""


class Buffer:
    """Records on their way to one exporter. Safe to use from any thread; nothing blocks.

    Runs and spans have a bound each, so that the end of a run is not lost in a flood of spans.

    Args:
        max_items: Most spans, and most runs.
        max_bytes: Bytes of contents above which records lose theirs.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._records: dict[tuple[int, int], Record] = {}
        self._runs = 0
        self._bytes = 0
        self._inserted = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._records)

    @property
    def inserted(self) -> int:
        """How many records there ever were; a later one in the place of an earlier one does not count."""
        return self._inserted

    def put(self, record: Record) -> Put:
        """Keep a record, in the place of an earlier one of the same id and owner if there is one."""
        with self._lock:
            # With the owner: somebody else's run of the same id is another one.
            # By their numbers: hashing a UUID takes as long as all the rest.
            key = record.id.int, record.user_id.int
            old = self._records.get(key)
            if old is None:
                is_run = isinstance(record, RunRecord)
                if (self._runs if is_run else len(self._records) - self._runs) >= self._max_items:
                    return Put.DROPPED
                self._runs += is_run
                self._inserted += 1
            put = Put.KEPT
            self._bytes -= old.size if old else 0
            if self._bytes + record.size > self._max_bytes:
                record, put = _stripped(record), Put.STRIPPED
            self._bytes += record.size
            self._records[key] = record
            return put

    def take(self, max_items: int, max_bytes: int) -> list[Record]:
        """Take out the first records: at most so many, and none more once they have so many bytes."""
        taken: list[Record] = []
        size = 0
        with self._lock:
            while self._records and len(taken) < max_items and size < max_bytes:
                record = self._records.pop(next(iter(self._records)))
                self._runs -= isinstance(record, RunRecord)
                self._bytes -= record.size
                size += record.size
                taken.append(record)
        return taken


def _stripped(record: Record) -> Record:
    """The record without its contents: that it happened, when, and how it ended."""
    rest: dict[str, Any] = {"inputs": None, "outputs": None, "size": 0}
    if isinstance(record, SpanRecord):
        rest["logs"] = []
    return msgspec.structs.replace(record, metadata={"[cut]": "too much was waiting to be written"}, **rest)
