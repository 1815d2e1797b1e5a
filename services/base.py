"""The shape that every service has: built without I/O, started, asked for its health, stopped."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import ClassVar

from bedplate.services.checks import Check
from bedplate.services.errors import BedplateError, UnavailableError
from bedplate.services.health import Health, HealthStatus
from bedplate.services.schema import ServiceType

__all__ = ["Service"]


class Service:
    """Base class of the sixteen services and of the engines that they share.

    A constructor does no I/O. ``start`` and ``stop`` may be called twice, at once and after each other again; both
    may be cancelled at any await. A subclass overrides the hooks ``_start``, ``_stop`` and ``_check``; ``_stop`` must
    cope with a ``_start`` that got only half way, and with a ``_stop`` before it that did.

    Attributes:
        type: Which of the sixteen this is; None for an engine or an app's own service.
        backend: The name of the backend in use, for the report.
        checks: What ``bedplate doctor``, and each start, look at on behalf of this service.
        settings_group: Whose timeouts and whose being required it shares; None: those of its own name, if any.
        part_names: The attributes whose public methods are operations of the service too, such as ``users``.
        uncounted: Its public methods that are not counted as operations: they cost less than counting them would, and
            what they do is counted otherwise.
        follows_all: Whether it is started after all services that do not need it, and stopped before them, because it
            calls code that may use any.
    """

    type: ClassVar[ServiceType | None] = None
    backend: str = "embedded"
    checks: ClassVar[tuple[Check, ...]] = ()
    follows_all: ClassVar[bool] = False
    settings_group: ClassVar[str | None] = None
    part_names: ClassVar[tuple[str, ...]] = ()
    uncounted: ClassVar[frozenset[str]] = frozenset()

    _started: bool = False
    _opened: bool = False  # _start has begun, and no _stop has ended since
    _on_part: Callable[[str, object], None] | None = None
    _on_client: Callable[[object], None] | None = None
    _gate: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    @property
    def started(self) -> bool:
        """Whether ``start`` has finished and ``stop`` has not begun."""
        return self._started

    async def start(self) -> None:
        """Make the service ready; do nothing if it is. On failure or cancellation, what was begun is undone."""
        async with self._exclusive():
            if self._started:
                return
            if self._opened:  # an earlier stop was cancelled half way
                await self._close()
            self._opened = True
            try:
                await self._start()
            except BaseException as error:
                await self._undo(error)
                raise
            self._started = True

    async def stop(self) -> None:
        """Give back everything that ``start`` took; do nothing if it has not run. Finishes a cancelled stop."""
        async with self._exclusive():
            self._started = False
            if self._opened:
                await self._close()

    async def health(self) -> Health:
        """Say whether the service works, why not, and how long finding out took. Never raises an ``Exception``."""
        if not self._started:
            return Health(status=HealthStatus.DOWN, reason="not started")
        begun = time.perf_counter()
        status, reason = HealthStatus.UP, None
        try:
            if (reason := await self._check()) is not None:
                status = HealthStatus.DEGRADED
        except BedplateError as error:
            status, reason = HealthStatus.DOWN, str(error)
        except Exception as error:
            # The text of a foreign exception may carry an address or a password.
            status, reason = HealthStatus.DOWN, type(error).__name__
        return Health(status=status, reason=reason, latency_ms=(time.perf_counter() - begun) * 1e3)

    def parts(self) -> Iterable[tuple[str, object]]:
        """What is part of it, by name; a method of a part is an operation of the service, ``"<name>.<method>"``."""
        return [(name, getattr(self, name)) for name in self.part_names]

    def on_part(self, watch: Callable[[str, object], None] | None) -> None:
        """Have ``watch`` told, with its name, of each part that is made from now on; None: nobody."""
        self._on_part = watch

    def _tell_of_part(self, name: str, part: object) -> None:
        if self._on_part is not None:
            self._on_part(name, part)

    def on_client(self, prepare: Callable[[object], None] | None) -> None:
        """Have ``prepare`` given each client of another system that is made from now on; None: nobody."""
        self._on_client = prepare

    def _tell_of_client(self, client: object) -> None:
        if self._on_client is not None:
            self._on_client(client)

    async def _start(self) -> None:
        """Hook: open what the service needs."""

    async def _stop(self) -> None:
        """Hook: close what ``_start`` opened, as far as it got."""

    async def _check(self) -> str | None:
        """Hook: raise if the service is down, return a reason if it is degraded, None if it is up."""
        return None

    def _require_started(self, what: str = "service", *, service: str | None = None) -> None:
        """Raise unless it is started.

        Args:
            what: What people call it.
            service: Whose error it is; None: its own.

        Raises:
            UnavailableError: It is not.
        """
        if not self._started:
            raise UnavailableError(
                f"the {what} is not started",
                service=str(service or self.type or type(self).__name__),
                fix="start its container first: async with container.running(): ...",
            )

    async def _close(self) -> None:
        try:
            await self._stop()
        except Exception:
            self._opened = False  # it has ended, if badly; a cancelled one has not
            raise
        self._opened = False

    async def _undo(self, error: BaseException) -> None:
        try:
            await self._close()
        except Exception as second:
            # What to report is why it did not start.
            error.add_note(f"undoing the start failed too: {type(second).__name__}")

    def _exclusive(self) -> asyncio.Lock:
        # One lock for each loop: a service may be built outside any, and be started in several, one after another.
        loop = asyncio.get_running_loop()
        if self._gate is None or self._gate[0] is not loop:
            self._gate = loop, asyncio.Lock()
        return self._gate[1]
