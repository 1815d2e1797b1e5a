"""Events as rows of the database: runs of consecutive ones in one row each."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from bedplate.services.database.models import JobEventRow
from bedplate.services.job_queue.models import JobEvent

__all__ = ["decode_events", "encode_events"]

_SEGMENT_BYTES: Final = 1024 * 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[tuple[int, str, float, msgspec.Raw]]).decode


def encode_events(job_id: uuid.UUID, events: Iterable[JobEvent]) -> list[dict[str, Any]]:
    """Rows of :class:`JobEventRow` for consecutive events: as few as fit the size of a row."""
    rows: list[dict[str, Any]] = []
    part: list[JobEvent] = []
    size = 0
    for event in events:
        if part and size + len(event.payload) > _SEGMENT_BYTES:
            rows.append(_row(job_id, part))
            part, size = [], 0
        part.append(event)
        size += len(event.payload)
    if part:
        rows.append(_row(job_id, part))
    return rows


def decode_events(row: JobEventRow) -> list[JobEvent]:
    """The events of a row."""
    return [
        JobEvent(id=event_id, type=kind, payload=bytes(payload), time=time)
        for event_id, kind, time, payload in _decode(row.events)
    ]


def _row(job_id: uuid.UUID, events: Sequence[JobEvent]) -> dict[str, Any]:
    listed = [(event.id, event.type, event.time, msgspec.Raw(event.payload)) for event in events]
    return {
        "job_id": job_id,
        "first_seq": events[0].id,
        "seq": events[-1].id,
        "events": _encode(listed).decode(),
    }
