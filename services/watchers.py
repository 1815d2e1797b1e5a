"""Those who want to know what has happened in a service, in the process that it happens in."""

from collections.abc import Callable
from typing import Generic, TypeVar

from bedplate.services.logs import get_logger

__all__ = ["Watchers"]

_log = get_logger("bedplate.services")

T = TypeVar("T")


class Watchers(Generic[T]):
    """Functions that are called with what has happened: a hint to look at once, never the only record of it.

    They are called on the event loop, one after another, and must return at once. One that raises is logged, and
    harms neither the others nor the service.
    """

    def __init__(self) -> None:
        self._watchers: list[Callable[[T], None]] = []

    def __bool__(self) -> bool:
        return bool(self._watchers)

    def add(self, watcher: Callable[[T], None]) -> Callable[[], None]:
        """Call ``watcher`` from now on; the function that is returned ends it, and may be called twice."""
        self._watchers.append(watcher)

        def remove() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return remove

    def tell(self, value: T) -> None:
        """Call everybody."""
        for watcher in list(self._watchers):
            try:
                watcher(value)
            except Exception as error:
                _log.error("a watcher failed", exc_info=error)
