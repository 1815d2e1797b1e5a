"""One pooled HTTP client for the process."""

import httpx

from bedplate.services.base import Service
from bedplate.services.errors import UnavailableError

__all__ = ["HttpEngine"]


class HttpEngine(Service):
    """Owns the ``httpx.AsyncClient`` that services call other systems with."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    async def _start(self) -> None:
        self._client = httpx.AsyncClient(follow_redirects=False)

    async def _stop(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    @property
    def client(self) -> httpx.AsyncClient:
        """The client, between start and stop.

        Raises:
            UnavailableError: The engine is not started.
        """
        if self._client is None:
            raise UnavailableError("the HTTP client is not started", service="http")
        return self._client
