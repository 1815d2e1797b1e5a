"""The way of spans to one vendor: an outbox, and a thread that sends what is in it."""

import threading
import time
from collections.abc import Sequence
from typing import Final, Protocol

from opentelemetry.sdk.resources import Resource

from bedplate.services.engines.breaker import BreakerState, CircuitBreaker
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.tracing import TracingSettings
from bedplate.services.telemetry import Counter
from bedplate.services.tracing.buffer import Put
from bedplate.services.tracing.vendors.outbox import Outbox
from bedplate.services.tracing.vendors.sender import NotDeliveredError, Request, Sender, SpansRefusedError
from bedplate.services.tracing.vendors.spans import SpanMaker
from bedplate.services.tracing.vendors.step import Step
from bedplate.services.tracing.vendors.vendor import Destination, Vendor

__all__ = ["Pipeline", "Waiter"]

_PIECE: Final = 4
"""Spans that are made without a pause for other threads."""
_PAUSE: Final = 0.0005
_TELL_AGAIN: Final = 300.0
"""Seconds for which the same trouble is told once."""

_log = get_logger("bedplate.tracing")


class Waiter(Protocol):
    """Waits until what was accepted by then is settled."""

    def arrived(self, complete: bool) -> None:
        """Be told that it is, or that it will not be for now."""
        ...


class Pipeline:
    """Delivers to one vendor, whatever becomes of the others. Its thread starts with the first span.

    A request that is not taken is tried again, a request with a span that the other side refuses is split until that
    one stands alone; and after some failures in a row the vendor is left alone for a while. The counter
    ``bedplate_tracing_records`` says what became of every span.

    Args:
        vendor: Who.
        destination: Where.
        settings: Bounds and times.
        outcomes: Counts what became of spans, by ``exporter`` and ``outcome``.
        turn: Held while spans are made: so that the threads of all vendors together take no more than one's time.
        resource: What spans say of the process.
    """

    def __init__(
        self,
        vendor: Vendor,
        destination: Destination,
        settings: TracingSettings,
        outcomes: Counter,
        turn: threading.Lock,
        resource: Resource,
    ) -> None:
        self.vendor = vendor
        self.destination = destination
        self._settings = settings
        self._outcomes = outcomes
        self._turn = turn
        self._resource = resource
        self._outbox = Outbox(settings.vendor_queue_size, settings.vendor_queue_bytes)
        self._breaker = CircuitBreaker(
            vendor.title, failures=settings.vendor_breaker_failures, reset_after=settings.vendor_breaker_reset
        )
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._settled = 0
        self._waiters: list[tuple[int, Waiter]] = []
        self._stopping = False
        self._trouble: str | None = None
        self._told: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._outbox)

    @property
    def trouble(self) -> str | None:
        """Why the last request was not taken; None if it was."""
        return self._trouble

    @property
    def state(self) -> BreakerState:
        """Whether the vendor is left alone."""
        return self._breaker.state

    def offer(self, step: Step) -> None:
        """Take a span on its way, or drop and count it; never waits."""
        put = Put.DROPPED if self._stopping else self._outbox.put(step)
        if put is not Put.KEPT:
            self._count(1, put)
        if put is Put.DROPPED:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"bedplate-tracing-{self.vendor.name}", daemon=True)
            self._thread.start()
        elif len(self._outbox) in (1, self._settings.vendor_batch_size):
            with self._changed:
                self._changed.notify_all()

    def flush(self, waiter: Waiter) -> None:
        """Tell the waiter when all that was accepted so far is settled, or at once if the vendor is left alone."""
        with self._changed:
            target = self._outbox.accepted
            if self._settled < target and self._breaker.state is not BreakerState.OPEN and not self._stopping:
                self._waiters.append((target, waiter))
                self._changed.notify_all()
                return
        waiter.arrived(self._settled >= target)

    def close(self) -> None:
        """Send nothing more, and drop and count what waits; does not wait for a request that is under way."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._settle(self._outbox.clear(), Put.DROPPED)

    # In the thread

    def _work(self) -> None:
        sender: Sender | None = None
        try:
            sender = Sender(self.destination, self._settings.vendor_timeout)
            maker = SpanMaker(self.vendor, self.destination, self._resource, self._unmade)
            while self._gather():
                while steps := self._take():
                    self._deliver(sender, maker, steps, self._settings.vendor_attempts)
        except Exception as error:
            # A mistake in here: nothing more is sent, nothing more is kept, and everybody can see why.
            self._trouble = f"its thread ended ({type(error).__name__})"
            self._tell(self._trouble, "report it, with the log", error=error)
            self.close()
        finally:
            self._release(all_of_them=True)
            if sender is not None:
                sender.close()

    def _unmade(self, error: Exception) -> None:
        self._tell(f"a span cannot be made ({type(error).__name__})", "report it, with what its run recorded")

    def _take(self) -> list[Step]:
        if self._stopping:
            return []
        return self._outbox.take(self._settings.vendor_batch_size, self._settings.vendor_batch_bytes)

    def _gather(self) -> bool:
        """Wait for a first span, then a little for others to come; False when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or len(self._outbox))
            if self._settings.vendor_interval and not self._stopping:
                self._changed.wait_for(self._hurried, self._settings.vendor_interval)
            return not self._stopping

    def _hurried(self) -> bool:
        return self._stopping or bool(self._waiters) or len(self._outbox) >= self._settings.vendor_batch_size

    def _deliver(self, sender: Sender, maker: SpanMaker, steps: list[Step], attempts: int) -> None:
        """Send these spans, and settle all of them."""
        try:
            body, unmade = self._body(maker, steps)
            refused = self._send(sender, body, attempts)
        except NotDeliveredError as error:
            self._trouble = error.reason
            self._tell(error.reason, error.fix)
            self._settle(len(steps), "failed")
        except SpansRefusedError as error:
            if len(steps) == 1:
                self._tell(f"a span is refused ({error.reason})", "see what it holds, under the run in the database")
                self._settle(1, "refused")
                return
            half = len(steps) // 2
            self._deliver(sender, maker, steps[:half], 1)
            self._deliver(sender, maker, steps[half:], 1)
        else:
            self._delivered()
            if refused:
                self._tell("spans are refused", "look into the log of the collector")
            made = len(steps) - unmade
            self._settle(unmade, "failed")
            self._settle(min(refused, made), "refused")
            self._settle(made - min(refused, made), "sent")

    def _body(self, maker: SpanMaker, steps: Sequence[Step]) -> tuple[bytes, int]:
        """The body of a request, and how many of the spans could not be made."""
        request, unmade = Request(), len(steps)
        for begin in range(0, len(steps), _PIECE):
            with self._turn:
                spans = maker.spans(steps[begin : begin + _PIECE])
                request.add(spans)
                unmade -= len(spans)
                # Held on to, so that no other vendor's thread takes the interpreter before the event loop does.
                time.sleep(_PAUSE)
        return request.body(), unmade

    def _send(self, sender: Sender, body: bytes, attempts: int) -> int:
        """Send one request, with patience; how many spans were refused."""
        delay = self._settings.vendor_retry_delay
        while True:
            self._wait(self._breaker.retry_after)
            try:
                with self._breaker.call(NotDeliveredError):
                    return sender.send(body)
            except NotDeliveredError as error:
                attempts -= 1
                if attempts <= 0 or not error.again or self._stopping:
                    raise
                self._trouble = error.reason
                self._tell(error.reason, error.fix)
                wait = delay if error.retry_after is None else error.retry_after
                delay = min(delay * 2, self._settings.vendor_retry_delay_max)
            if self._breaker.state is BreakerState.OPEN:
                self._release(all_of_them=True)
            self._wait(min(wait, self._settings.vendor_retry_delay_max))

    def _wait(self, seconds: float) -> None:
        """Wait so long, or until it is time to end."""
        if seconds > 0:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, seconds)
        if self._stopping:
            raise NotDeliveredError("the process stops", "raise BEDPLATE_TRACING__FLUSH_TIMEOUT", again=False)

    def _delivered(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            _log.info("spans are delivered again", vendor=self.vendor.name)

    def _tell(self, reason: str, fix: str, **details: object) -> None:
        """Say what is wrong, once, and again if it is so later on."""
        now = time.monotonic()
        if self._stopping or now - self._told.get(reason, -_TELL_AGAIN) < _TELL_AGAIN:
            return
        self._told[reason] = now
        _log.warning("spans are not delivered", vendor=self.vendor.name, why=reason, fix=fix, **details)

    def _count(self, number: int, outcome: str) -> None:
        if number:
            self._outcomes.add(number, exporter=self.vendor.name, outcome=outcome)

    def _settle(self, number: int, outcome: str) -> None:
        self._count(number, outcome)
        with self._changed:
            self._settled += number
        self._release()

    def _release(self, *, all_of_them: bool = False) -> None:
        with self._changed:
            done = [(target, waiter) for target, waiter in self._waiters if all_of_them or target <= self._settled]
            self._waiters = [pair for pair in self._waiters if pair not in done]
            settled = self._settled
        for target, waiter in done:
            waiter.arrived(target <= settled)
