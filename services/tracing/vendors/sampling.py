"""Which runs vendors are told of: a share of all, and every run in which something failed."""

from collections import OrderedDict
from collections.abc import Iterable

from bedplate.services.tracing.vendors.step import Step

__all__ = ["TailSampler"]

_Key = tuple[int, int]


class TailSampler:
    """Decides on a run when it ends, or as soon as something in it fails. Used by one thread.

    A run that is among the share goes through at once. The spans of the others are held back until it is known
    whether one of them failed; where more are held than there is room for, the runs that began first are given up.

    Args:
        max_items: Most spans that are held back.
        max_bytes: Most bytes of their contents.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._held: OrderedDict[_Key, list[Step]] = OrderedDict()
        self._failed: OrderedDict[_Key, None] = OrderedDict()
        self._items = 0
        self._bytes = 0

    def __len__(self) -> int:
        return self._items

    def decide(self, step: Step) -> tuple[Iterable[Step], int]:
        """Take in one that has ended; those that are to be sent now, and how many were given up."""
        if step.run.sampled:
            return (step,), 0
        key = step.run.trace_id, step.run.span_id
        if step.failed or key in self._failed:
            return self._let_through(key, step), 0
        if step.is_root:
            return (), len(self._release(key)) + 1
        self._held.setdefault(key, []).append(step)
        self._items += 1
        self._bytes += step.size
        return (), self._make_room()

    def _let_through(self, key: _Key, step: Step) -> list[Step]:
        held = self._release(key)
        if step.is_root:
            self._failed.pop(key, None)
        else:
            self._failed[key] = None
            if len(self._failed) > self._max_items:
                self._failed.popitem(last=False)
        return [*held, step]

    def _release(self, key: _Key) -> list[Step]:
        held = self._held.pop(key, [])
        self._items -= len(held)
        self._bytes -= sum(step.size for step in held)
        return held

    def _make_room(self) -> int:
        given_up = 0
        while self._items > self._max_items or self._bytes > self._max_bytes:
            given_up += len(self._release(next(iter(self._held))))
        return given_up
