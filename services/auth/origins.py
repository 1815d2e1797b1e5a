"""Whether a request that carries the session cookie comes from a page of ours."""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from bedplate.services.auth.errors import OriginNotAllowedError
from bedplate.services.auth.models import Client

__all__ = ["PROXY_HEADERS", "check_origin", "is_loopback"]

PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers that only a proxy sets: with one of them, the address of the peer says little of the client."""

_FOREIGN = re.compile(r"[^\w.:\[\]-]")
"""Characters that no ``Host`` header has, and that would make another URL of it."""
_PORTS = {"http": 80, "https": 443}


def check_origin(origin: str | None, host: str | None, allowed: Collection[str] = ()) -> None:
    """Raise unless a request comes from the server's own pages or from an allowed origin.

    For requests that a cookie authenticates and that change something, and for WebSocket handshakes: a browser sends
    the cookie for any page that asks, and tells by ``Origin`` (RFC 6454) which one it was. Every browser sends it
    with such requests, so its absence is refused too.

    Args:
        origin: The ``Origin`` header.
        host: The ``Host`` header.
        allowed: Further origins, such as ``"https://app.example.org"``; no wildcards.

    Raises:
        OriginNotAllowedError: It comes from elsewhere, or does not say.
    """
    place = _place(origin)
    if place is None or (place != _own_place(place[0], host) and place not in map(_place, allowed)):
        raise OriginNotAllowedError(
            why=f"origin {origin!r:.100}, host {host!r:.100}",
            fix="call from the server's own pages, or add the origin to BEDPLATE_SERVER__CORS_ORIGINS",
        )


def is_loopback(client: Client) -> bool:
    """Whether the caller sits on this machine and asked for it by a name of this machine.

    The host is looked at so that no web page can reach a local server by a name of its own that it points here.
    """
    if client.proxied or client.host is None:
        return False
    place = _own_place("http", client.host)
    return place is not None and _local(client.address) and (place[1] == "localhost" or _local(place[1]))


def _local(address: str | None) -> bool:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _place(origin: str | None) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin; None for ``null``, wildcards and what is none."""
    try:
        parts = urlsplit(origin or "")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


def _own_place(scheme: str, host: str | None) -> tuple[str, str, int] | None:
    # The scheme is taken from the origin: behind a proxy that ends TLS the server does not know it.
    return _place(f"{scheme}://{host}") if host and not _FOREIGN.search(host) else None
