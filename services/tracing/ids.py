"""The ids of OpenTelemetry that belong to runs and spans: the same ones wherever they are asked for."""

import hashlib
import uuid
from typing import Final

__all__ = ["is_sampled", "span_id_of", "trace_id_of"]

_SPAN_ID: Final = (1 << 64) - 1
_SAMPLED: Final = (1 << 56) - 1


def trace_id_of(run_id: uuid.UUID) -> int:
    """The trace id of a run that continues no other trace: the id of the run."""
    return run_id.int or int.from_bytes(hashlib.blake2b(run_id.bytes, digest_size=16).digest())


def span_id_of(record_id: uuid.UUID) -> int:
    """The span id of a run or span: the last 64 bits of its id, which are random in a UUIDv7."""
    return record_id.int & _SPAN_ID or int.from_bytes(hashlib.blake2b(record_id.bytes, digest_size=8).digest())


def is_sampled(trace_id: int, rate: float) -> bool:
    """Whether a trace is among the share ``rate`` of all; every replica decides alike.

    By the last 56 bits of the id, which are random (W3C Trace Context 2, random trace id flag).
    """
    return rate >= 1 or (trace_id & _SAMPLED) < rate * (_SAMPLED + 1)
