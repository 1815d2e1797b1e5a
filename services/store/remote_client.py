"""HTTP calls of a remote store: bounded, repeated where that is safe, given up for a while when they keep failing."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec
import orjson
import tenacity

from bedplate.services.cache import CacheNamespace, CacheStorageError, CacheValueTooLargeError
from bedplate.services.engines.breaker import BreakerState, CircuitBreaker, CircuitOpenError
from bedplate.services.engines.http import HttpEngine
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.store import StoreSettings
from bedplate.services.store.backend import Caller
from bedplate.services.store.errors import StoreKeyRefusedError, StoreUnavailableError
from bedplate.services.store.remote_exchange import Answer, Call, Exchange, FailedCallError, parsed

if TYPE_CHECKING:
    from bedplate.services.telemetry import Counter

__all__ = ["RemoteClient"]

_SAFE: Final = frozenset({"GET", "PUT", "PATCH", "DELETE"})
"""Methods that may be repeated: here, PATCH too gives the same however often it is done."""

_LONGEST_WAIT: Final = 5.0
_DEFAULT_RETRY_AFTER: Final = 5.0

_log = get_logger("bedplate.store")


class RemoteClient:
    """Calls a remote store.

    Args:
        http: Has the pooled client.
        settings: Address, times and limits.
        cache: Keeps answers.
        authorization: The headers that prove who calls, from the key.
        calls: Counts calls by their outcome.
    """

    def __init__(
        self,
        http: HttpEngine,
        settings: StoreSettings,
        cache: CacheNamespace,
        authorization: Callable[[str], Mapping[str, str]],
        calls: "Counter",
    ) -> None:
        self._exchange = Exchange(http, settings)
        self._settings = settings
        self._cache = cache
        self._authorization = authorization
        self._calls = calls
        self._base = (settings.remote_url or "").rstrip("/")
        self.breaker = CircuitBreaker(
            "the remote store", failures=settings.remote_failures, reset_after=settings.remote_reset_after
        )

    def trouble(self) -> str | None:
        """Why the store is left alone now; None if it is not."""
        if self.breaker.state is BreakerState.CLOSED:
            return None
        return f"the remote store failed {self._settings.remote_failures} times in a row"

    async def call(self, caller: Caller | None, call: Call) -> Answer:
        """Call the store on behalf of somebody, or of nobody.

        Returns:
            A success, or what the store says is the caller's fault, but a 401.

        Raises:
            StoreKeyRefusedError: The store does not take the key.
            StoreUnavailableError: The store does not answer, or not as it should.
        """
        try:
            async with asyncio.timeout(self._settings.remote_total_timeout):
                answer = await self._attempts(caller, call)
        except TimeoutError:
            self._calls.add(1, outcome="timeout")
            raise self._unavailable("it took too long in all", None) from None
        except FailedCallError as error:
            self._calls.add(1, outcome="failed")
            raise self._unavailable(error.why, error.retry_after) from None
        except CircuitOpenError as error:
            self._calls.add(1, outcome="not_tried")
            raise self._unavailable("it failed again and again, and was not tried", error.retry_after) from None
        self._calls.add(1, outcome="answered")
        if answer.status == 401:
            raise StoreKeyRefusedError
        return answer

    async def _attempts(self, caller: Caller | None, call: Call) -> Answer:
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self._settings.remote_retries + 1),
            wait=self._wait,
            retry=tenacity.retry_if_exception(lambda error: _may_repeat(call, error)),
            sleep=asyncio.sleep,
            reraise=True,
        )
        return await retrying(self._attempt, caller, call)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, FailedCallError) and error.retry_after is not None:
            return min(error.retry_after, _LONGEST_WAIT)
        full = tenacity.wait_random_exponential(multiplier=self._settings.remote_retry_delay, max=_LONGEST_WAIT)
        return full(state)

    async def _attempt(self, caller: Caller | None, call: Call) -> Answer:
        kept = await self._kept(caller, call)
        headers = self._headers(caller)
        if kept is not None:
            headers["If-None-Match"] = kept[0]
        with self.breaker.call(FailedCallError):
            response, body = await self._exchange.make(call, headers)
        if response.status_code == 304 and kept is not None:
            body = kept[1]
        elif etag := response.headers.get("etag"):
            await self._keep(caller, call, etag, body)
        return Answer(status=200 if response.status_code == 304 else response.status_code, json=parsed(body))

    def _headers(self, caller: Caller | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if caller is not None and caller.key is not None:
            headers |= self._authorization(caller.key.get_secret_value())
        return headers

    async def _kept(self, caller: Caller | None, call: Call) -> tuple[str, bytes] | None:
        if not call.kept or not self._settings.remote_cache_ttl:
            return None
        try:
            found = await self._cache.get(self._key(caller, call))
        except CacheStorageError:
            return None
        return (found["etag"], found["body"]) if found else None

    async def _keep(self, caller: Caller | None, call: Call, etag: str, body: bytes) -> None:
        if not call.kept or not self._settings.remote_cache_ttl:
            return
        try:
            await self._cache.set(
                self._key(caller, call), {"etag": etag, "body": body}, self._settings.remote_cache_ttl
            )
        except (CacheValueTooLargeError, CacheStorageError):
            _log.debug("an answer of the remote store cannot be kept", bytes=len(body))

    def _key(self, caller: Caller | None, call: Call) -> str:
        """The key of an answer: what one user sees is kept for that user alone."""
        asked = orjson.dumps([self._base, str(caller.user_id) if caller else None, call.path, dict(call.params or {})])
        return hashlib.sha256(asked).hexdigest()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Take what cannot be read in the block for a fault of the store.

        Raises:
            StoreUnavailableError: It answered something else than it should.
        """
        try:
            yield
        except (msgspec.ValidationError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._unavailable(f"it answered something else than expected: {type(error).__name__}", None) from None

    def _unavailable(self, why: str, retry_after: float | None) -> StoreUnavailableError:
        _log.warning("the remote store does not answer", why=why)
        return StoreUnavailableError(why, retry_after=retry_after or self.breaker.retry_after or _DEFAULT_RETRY_AFTER)


def _may_repeat(call: Call, error: BaseException) -> bool:
    """Whether a failed call may be made again: what was not sent may always, the rest if twice is as good as once."""
    return isinstance(error, FailedCallError) and (not error.sent or call.method in _SAFE)
