"""Reading a setting."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bedplate.services.settings import SettingsService
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import temporary_folder

__all__ = ["rows"]

_READS = 200_000


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """A setting of a group, against the same three attributes of plain objects."""
    with temporary_folder() as folder:
        settings, plain = SettingsService(data_dir=folder), _Service()
        yield ratio(
            "reading a setting",
            lambda: _of_settings(settings),
            lambda: _of_plain(plain),
            against="attributes of plain objects",
            unit="ns",
            aim=Aim("≤", 1.5),
            runner=runner,
        )


@dataclass
class _Group:
    ttl: float = 3600.0


@dataclass
class _Values:
    cache: _Group = field(default_factory=_Group)


@dataclass
class _Service:
    values: _Values = field(default_factory=_Values)


def _of_settings(settings: SettingsService) -> float:
    """Nanoseconds a read."""
    begun = time.perf_counter_ns()
    for _ in range(_READS):
        _ = settings.values.cache.ttl
    return (time.perf_counter_ns() - begun) / _READS


def _of_plain(plain: _Service) -> float:
    """Nanoseconds a read."""
    begun = time.perf_counter_ns()
    for _ in range(_READS):
        _ = plain.values.cache.ttl
    return (time.perf_counter_ns() - begun) / _READS
