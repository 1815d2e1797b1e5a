"""One pooled HTTP client for the process."""

import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bedplate.services.base import Service
from bedplate.services.engines.trace_context import current_headers
from bedplate.services.settings import SettingsService

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpEngine"]

_LOGGERS: Final = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))
_CONNECTIONS: Final = 1_000
_IDLE_CONNECTIONS: Final = 64
_TIMEOUT: Final = 30.0
_CONNECT_TIMEOUT: Final = 10.0


class _Discretion(logging.Filter):
    """Drops records of the client's libraries that name an address to be kept out of logs."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not any(text in message for text in self.texts)


class HttpEngine(Service):
    """Owns the ``httpx.AsyncClient`` that services call other systems with.

    The client is made when it is first asked for: importing httpx and reading the certificates takes a tenth of a
    second, which a process that calls nobody should not pay. It follows no redirects, so that no credential goes to
    where it was not meant for; callers set the timeouts that they need.

    Calls say which trace they belong to, in the headers of W3C Trace Context, where they belong to one.

    Args:
        settings: The settings: ``BEDPLATE_TRACING__PROPAGATE=false`` keeps those headers back; None: it is not read.
    """

    def __init__(self, settings: SettingsService | None = None) -> None:
        self._propagate = settings is None or settings.values.tracing.propagate
        self._client: httpx.AsyncClient | None = None
        self._discretion = _Discretion()

    def conceal(self, url: str) -> None:
        """Keep an address out of the logs that httpx and httpcore write of each call, while the engine runs."""
        self._discretion.texts |= {url, repr(urlsplit(url).hostname)}

    async def _start(self) -> None:
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._discretion)

    async def _stop(self) -> None:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._discretion)
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    @property
    def client(self) -> "httpx.AsyncClient":
        """The client, between start and stop.

        Raises:
            UnavailableError: The engine is not started.
        """
        self._require_started("HTTP client", service="http")
        if self._client is None:
            import httpx

            self._client = httpx.AsyncClient(
                follow_redirects=False,
                timeout=httpx.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT),
                limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_IDLE_CONNECTIONS),
                headers={"User-Agent": "bedplate"},
                event_hooks={"request": [_say_trace]} if self._propagate else {},
            )
            self._tell_of_client(self._client)
        return self._client


async def _say_trace(request: "httpx.Request") -> None:
    for name, value in current_headers().items():
        request.headers.setdefault(name, value)
