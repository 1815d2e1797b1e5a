"""Runs of consecutive events as one document: a row of the database, or an entry of a stream."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from bedplate.services.database.models import JobEventRow
from bedplate.services.job_queue.models import JobEvent

__all__ = ["decode_events", "encode_events", "pack_events", "runs", "unpack_events"]

_SEGMENT_BYTES: Final = 1024 * 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[tuple[int, str, float, msgspec.Raw]]).decode


def runs(events: Iterable[JobEvent]) -> Iterator[list[JobEvent]]:
    """Consecutive events, as few runs of them as fit the size of one."""
    part: list[JobEvent] = []
    size = 0
    for event in events:
        if part and size + len(event.payload) > _SEGMENT_BYTES:
            yield part
            part, size = [], 0
        part.append(event)
        size += len(event.payload)
    if part:
        yield part


def pack_events(events: Sequence[JobEvent]) -> bytes:
    """A run of events as JSON."""
    return _encode([(event.id, event.type, event.time, msgspec.Raw(event.payload)) for event in events])


def unpack_events(packed: bytes | str) -> list[JobEvent]:
    """The events of a run."""
    return [
        JobEvent(id=event_id, type=kind, payload=bytes(payload), time=time)
        for event_id, kind, time, payload in _decode(packed)
    ]


def encode_events(job_id: uuid.UUID, events: Iterable[JobEvent]) -> list[dict[str, Any]]:
    """Rows of :class:`JobEventRow` for consecutive events: as few as fit the size of a row."""
    return [_row(job_id, part) for part in runs(events)]


def decode_events(row: JobEventRow) -> list[JobEvent]:
    """The events of a row."""
    return unpack_events(row.events)


def _row(job_id: uuid.UUID, events: Sequence[JobEvent]) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "first_seq": events[0].id,
        "seq": events[-1].id,
        "events": pack_events(events).decode(),
    }
