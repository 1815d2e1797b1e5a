"""A circuit breaker: stop asking what keeps failing, and try again after a while."""

import enum
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bedplate.services.errors import UnavailableError

__all__ = ["BreakerState", "CircuitBreaker", "CircuitOpenError"]


class BreakerState(enum.StrEnum):
    """Closed: calls pass. Open: calls are refused. Half open: one call tries whether things are well again."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitOpenError(UnavailableError):
    """The call was not made, since those before it failed.

    Attributes:
        retry_after: Seconds until one is tried again.
    """

    code = "circuit_open"

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"{name} has failed again and again, and is left alone for a while", fix="try again later")
        self.retry_after = retry_after


class CircuitBreaker:
    """Counts failures that follow each other, and opens when there are too many.

    For calls of one event loop. A call that is cancelled says nothing about the other side, and is not counted.

    Args:
        name: What is called, for the error.
        failures: How many in a row open it; 0: it never opens.
        reset_after: Seconds for which it stays open; then one call at a time is let through as a trial: if it works,
            the breaker is closed again.
        clock: Gives monotonic seconds.
    """

    def __init__(
        self, name: str, *, failures: int, reset_after: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._most = failures
        self._reset_after = reset_after
        self._clock = clock
        self._failed = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def state(self) -> BreakerState:
        """What happens to the next call."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self.retry_after <= 0 and not self._trying else BreakerState.OPEN

    @property
    def retry_after(self) -> float:
        """Seconds until the next trial; 0 when calls pass."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._reset_after - self._clock())

    @contextmanager
    def call(self, *failures: type[Exception]) -> Iterator[None]:
        """Let the call in the block pass, and learn from how it ends.

        Args:
            failures: The exceptions that are failures of the other side. Any other end of the block but a
                cancellation, an ``Exception`` of another class included, shows that it works.

        Raises:
            CircuitOpenError: The breaker is open, or a trial is under way.
        """
        state = self.state
        if state is BreakerState.OPEN:
            raise CircuitOpenError(self._name, self.retry_after or self._reset_after)
        trial = self._trying = state is BreakerState.HALF_OPEN
        try:
            yield
        except failures:
            self._fail()
            raise
        except Exception:
            self._succeed()
            raise
        else:
            self._succeed()
        finally:
            if trial:
                self._trying = False

    def _fail(self) -> None:
        self._failed += 1
        if self._opened_at is not None or (self._most and self._failed >= self._most):
            self._opened_at = self._clock()

    def _succeed(self) -> None:
        self._failed = 0
        self._opened_at = None
