"""How much of the time for a stop each service may use."""

import time
from collections.abc import Hashable, Mapping, Set
from typing import Generic, TypeVar

from bedplate.containers.supervise import Limits

__all__ = ["StopBudget"]

K = TypeVar("K", bound=Hashable)

_GRACE = 1.0
"""Seconds that a service may take to react when its stop is cancelled for lasting too long."""


class StopBudget(Generic[K]):
    """Shares a total time between services that stop one after another.

    Half of the total is kept back in equal parts, one for each layer of services, so that a service that hangs never
    costs those that stop after it their turn; the other half goes to whoever comes first.

    Args:
        total: Seconds in all, counted from now.
        needs: For each service, those that stop after it has.
    """

    def __init__(self, total: float, needs: Mapping[K, Set[K]]) -> None:
        self._end = time.monotonic() + total
        self._below: dict[K, int] = {}
        for key in needs:
            self._count_layers(key, needs)
        layers = 1 + max(self._below.values(), default=0)
        self._reserve = total / 2 / layers

    def share(self, key: K, timeout: float) -> Limits:
        """How long the service may take that begins to stop now: ``timeout`` seconds, if the total allows it."""
        left = max(0.0, self._end - time.monotonic() - self._reserve * self._below[key])
        whole = min(timeout + _GRACE, left)
        grace = min(_GRACE, whole / 4)
        return Limits(timeout=min(timeout, whole - grace), grace=grace)

    def _count_layers(self, key: K, needs: Mapping[K, Set[K]]) -> int:
        if key not in self._below:
            self._below[key] = 1 + max((self._count_layers(need, needs) for need in needs[key]), default=-1)
        return self._below[key]
