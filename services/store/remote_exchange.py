"""One request to a remote store and its answer: bounded in time and size, or a failure that may pass."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
import msgspec
import orjson

from bedplate.services.engines.http import HttpEngine
from bedplate.services.settings.groups.store import StoreSettings

__all__ = ["Answer", "Call", "Exchange", "FailedCallError", "parsed"]

_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that another try may change."""

_CHUNK: Final = 65_536


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What to call.

    Attributes:
        method: The method.
        path: Below the address of the store, or a whole address.
        params: The query.
        body: What is sent as JSON.
        kept: Whether the answer may be kept, and used again when the store says that it still holds.
    """

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    body: Any = None
    kept: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the store answered, a success or an error of the caller's.

    Attributes:
        status: HTTP status.
        json: The body; None where it is empty or no JSON.
    """

    status: int
    json: Any


class FailedCallError(Exception):
    """An attempt failed in a way that another one may not.

    Attributes:
        why: What happened, without addresses.
        sent: Whether the store may have done what it was asked to.
        retry_after: Seconds after which the store wants to be asked again; None: it did not say.
    """

    def __init__(self, why: str, *, sent: bool, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.sent = sent
        self.retry_after = retry_after


class Exchange:
    """Makes single requests.

    Args:
        http: Has the pooled client.
        settings: Address, times and limits.
    """

    def __init__(self, http: HttpEngine, settings: StoreSettings) -> None:
        self._http = http
        self._base = (settings.remote_url or "").rstrip("/")
        self._timeout = httpx.Timeout(settings.remote_timeout)
        self._max_bytes = settings.remote_max_bytes

    async def make(self, call: Call, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        """Send a request and read the whole answer.

        Raises:
            FailedCallError: There was none, or none that a store gives.
        """
        url = call.path if "://" in call.path else self._base + call.path
        content = None if call.body is None else orjson.dumps(call.body)
        try:
            async with self._http.client.stream(
                call.method, url, params=call.params, content=content, headers=headers, timeout=self._timeout
            ) as response:
                body = await self._read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise FailedCallError(f"it cannot be reached: {type(error).__name__}", sent=False) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The text of these errors may hold an address with a password in it.
            raise FailedCallError(f"the connection failed: {type(error).__name__}", sent=True) from None
        _check(response, body)
        return response, body

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes(_CHUNK):
            body += chunk
            if len(body) > self._max_bytes:
                raise FailedCallError(f"its answer has more than {self._max_bytes} bytes", sent=True)
        return bytes(body)


def parsed(body: bytes) -> Any:
    """The value of a JSON text; None if it is empty or none."""
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None


def _check(response: httpx.Response, body: bytes) -> None:
    status = response.status_code
    # A redirect is not followed: the key is for the one address.
    if status in _PASSING or status >= 500 or (300 <= status < 400 and status != 304):
        raise FailedCallError(f"it answered {status}", sent=status != 429, retry_after=_seconds(response))
    if status < 300 and body and parsed(body) is None:
        raise FailedCallError("it answered something that is not JSON", sent=True)


def _seconds(response: httpx.Response) -> float | None:
    """What ``Retry-After`` (RFC 9110, 10.2.3) says in seconds; None if it says nothing."""
    text = response.headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
