"""Where logins are counted, failed ones and all of them: a port, and the database behind it."""

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from bedplate.services.auth.attempt_rate import AttemptCounter, Rate
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import LoginThrottleRow, utc_now
from bedplate.services.database.repositories.login_throttle import LoginThrottleRepository

__all__ = ["DatabaseThrottleStore", "Limit", "ThrottleStore"]


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """How many failures are too many.

    Attributes:
        failures: The one that locks.
        window: Seconds in which they count together.
        lockout: Seconds of the first lockout; each further one lasts twice as long.
        longest: Seconds of the longest.
    """

    failures: int
    window: float
    lockout: float
    longest: float


class ThrottleStore(Protocol):
    """Counts failures by key, for all replicas that share it, across restarts.

    Attributes:
        joins_transactions: Whether what is done in a transaction of the database is part of it.
    """

    joins_transactions: bool

    async def check(self) -> None:
        """Raise if it does not work."""
        ...

    async def hit(self, key: str, rate: Rate) -> float:
        """Count an attempt, of whatever outcome; seconds to wait if it is one too many, else 0."""
        ...

    async def locked_for(self, keys: Collection[str]) -> float:
        """Seconds until none of the keys is locked; 0 if none is."""
        ...

    async def fail(self, key: str, limit: Limit) -> float | None:
        """Count a failure.

        Returns:
            Seconds of the lockout that this failure began, 0 if it began none; None if the key was locked already,
            so that nothing was counted.
        """
        ...

    async def clear(self, key: str) -> bool:
        """Forget the failures and lockouts of a key; whether there were any."""
        ...

    async def prune(self) -> int:
        """Forget what is too old to count; how many keys."""
        ...


class DatabaseThrottleStore:
    """Failures in the database; in a caller's transaction, it joins it.

    Attempts are counted by each process for itself: a write for every login would cost what it is to save.

    Args:
        database: Keeps them.
        clock: Seconds, for the attempts.
    """

    joins_transactions = True

    def __init__(self, database: DatabaseService, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._attempts = AttemptCounter(clock)

    async def check(self) -> None:
        """Nothing: the database looks after itself."""

    async def hit(self, key: str, rate: Rate) -> float:
        """As in :class:`ThrottleStore`, but of this process alone."""
        return self._attempts.hit(key, rate)

    async def locked_for(self, keys: Collection[str]) -> float:
        """As in :class:`ThrottleStore`."""
        now = utc_now()
        async with self._database.session() as session:
            until = await LoginThrottleRepository(session).locked(keys, now)
        return max(((moment - now).total_seconds() for moment in until), default=0.0)

    async def fail(self, key: str, limit: Limit) -> float | None:
        """As in :class:`ThrottleStore`."""
        now = utc_now()
        async with self._database.transaction() as session:
            row = await LoginThrottleRepository(session).for_update(key, now)
            if row.locked_until is not None and row.locked_until > now:
                return None
            return _count(row, limit, now)

    async def clear(self, key: str) -> bool:
        """As in :class:`ThrottleStore`."""
        async with self._database.transaction() as session:
            return await LoginThrottleRepository(session).delete(key)

    async def prune(self) -> int:
        """As in :class:`ThrottleStore`."""
        async with self._database.transaction() as session:
            return await LoginThrottleRepository(session).prune(utc_now())


def _count(row: LoginThrottleRow, limit: Limit, now: datetime) -> float:
    """Count a failure in a row; seconds of the lockout that begins, or 0."""
    if row.expires_at <= now:
        row.lockouts = 0
    if row.window_ends_at <= now:
        row.failures, row.window_ends_at = 0, now + timedelta(seconds=limit.window)
    row.failures += 1
    row.expires_at = max(row.expires_at, row.window_ends_at)
    if row.failures < limit.failures:
        return 0.0
    seconds = min(limit.lockout * 2.0 ** min(row.lockouts, 60), limit.longest)
    row.failures, row.window_ends_at, row.lockouts = 0, now, row.lockouts + 1
    row.locked_until = now + timedelta(seconds=seconds)
    # Remembered for a while after its end, so that the next one is longer.
    row.expires_at = row.locked_until + timedelta(seconds=max(limit.window, limit.longest))
    return seconds
