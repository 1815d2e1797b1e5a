"""Who may come in: the origin of every request, and the credentials of every client."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from bedplate.services.auth import COOKIE_NAME, PROXY_HEADERS, AuthService, Client, Credentials, Method, Principal
from bedplate.services.settings.groups.server import ServerSettings
from bedplate.services.socket.errors import PayloadError
from bedplate.services.socket.models import Handshake

__all__ = ["Admission", "credentials_of"]

_JSONP = re.compile(rb"(?:^|&)j=")


class Admission:
    """Checks origins and credentials.

    Args:
        settings: Which origins may call.
        auth: The one verifier.
    """

    def __init__(self, settings: ServerSettings, auth: AuthService) -> None:
        self._any_origin = "*" in settings.cors_origins
        self._auth = auth

    def check_request(self, scope: Mapping[str, Any]) -> None:
        """Refuse pages of origins that may not call; what is no page says no origin.

        Raises:
            OriginNotAllowedError: The page may not.
            PayloadError: It asks for JSONP, by which pages of any origin could read the answer.
        """
        if _JSONP.search(scope["query_string"]):
            raise PayloadError("JSONP is not served", "use polling or a WebSocket")
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is not None and not self._any_origin:
            self._auth.check_origin(origin.decode("latin-1"), headers.get(b"host", b"").decode("latin-1"))

    async def authenticate(self, handshake: Handshake) -> Principal:
        """Who a client is.

        Raises:
            AuthenticationError: It has no credentials, or they are not good.
            OriginNotAllowedError: It has only the session cookie, and comes from a page of another origin.
            PayloadError: Its credentials are not texts.
        """
        credentials = credentials_of(handshake)
        principal = await self._auth.verify(credentials)
        if principal.method is Method.COOKIE:
            self._require_own_page(handshake.headers)
        return structs.replace(principal, client=_client_of(handshake))

    def _require_own_page(self, headers: Mapping[str, str]) -> None:
        # Browsers leave Origin out of a page's GET to its own server, and say by Sec-Fetch-Site that it is one.
        if "origin" not in headers and headers.get("sec-fetch-site") == "same-origin":
            return
        self._auth.check_origin(headers.get("origin"), headers.get("host"))


def credentials_of(handshake: Handshake) -> Credentials:
    """What a client proves its identity with: ``token`` or ``api_key`` of its payload go before any header.

    Raises:
        PayloadError: They are not texts.
    """
    headers = handshake.headers
    given = {name: handshake.auth.get(name) for name in ("token", "api_key")}
    if any(not isinstance(value, str | None) for value in given.values()):
        raise PayloadError("token and api_key must be texts", fix='send {"token": "…"} or {"api_key": "…"}')
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    return Credentials(
        bearer=given["token"] or (bearer.strip() if scheme.lower() == "bearer" and not given["api_key"] else None),
        api_key=given["api_key"] or headers.get("x-api-key") or None,
        cookie=_cookie(headers.get("cookie", "")),
    )


def _client_of(handshake: Handshake) -> Client:
    headers = handshake.headers
    return Client(
        address=handshake.address,
        user_agent=headers.get("user-agent"),
        host=headers.get("host"),
        proxied=any(name in headers for name in PROXY_HEADERS),
    )


def _cookie(header: str) -> str | None:
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE_NAME and value:
            return value
    return None
