"""What a load balancer does, without sessions that stick: each request goes to the next replica that takes it."""

import itertools
from collections.abc import Sequence

import httpx

__all__ = ["Balancer"]


class Balancer(httpx.BaseTransport):
    """Sends requests to replicas in turn; one that does not take connections is passed over.

    Args:
        urls: The replicas.

    Attributes:
        counts: How many requests each replica has answered.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self.counts = dict.fromkeys(urls, 0)
        self._turns = itertools.cycle(urls)
        self._transport = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request by the replica whose turn it is."""
        for attempt in range(len(self.counts), 0, -1):
            url = next(self._turns)
            place = httpx.URL(url)
            request.url = request.url.copy_with(host=place.host, port=place.port)
            try:
                answer = self._transport.handle_request(request)
            except httpx.ConnectError:
                if attempt == 1:
                    raise
            else:
                self.counts[url] += 1
                return answer
        raise AssertionError  # the last attempt returns or raises

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()
