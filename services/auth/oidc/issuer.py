"""What the issuer publishes: where it does what, and the keys that it signs with."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from bedplate.services.auth.errors import IssuerUnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.oidc import OidcSettings

if TYPE_CHECKING:
    import httpx
    from jwt import PyJWK

__all__ = ["Issuer", "Metadata"]

MAX_BYTES = 1024 * 1024
MAX_KEYS = 100
MAX_STALE = 24 * 3600.0
"""Seconds that known keys stay in use while the issuer does not answer."""
PAUSE = 1.0
"""Seconds before an issuer that did not answer is asked again for its configuration."""

_log = get_logger("bedplate.auth")


class Metadata(msgspec.Struct, frozen=True):
    """The part of an issuer's configuration that is used here (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None


class Issuer:
    """The configuration and the keys of an issuer, fetched when they are needed and kept for a while.

    A key that is not known is looked for, so that an issuer that changes its keys is followed at once; a key that the
    issuer takes back is refused from the next fetch on. While it does not answer, known keys stay good for a day.

    Args:
        settings: Which issuer, and how patiently.
        http: Gives the pooled client.
    """

    def __init__(self, settings: OidcSettings, http: Callable[[], "httpx.AsyncClient"]) -> None:
        self._settings = settings
        self._http = http
        self.reset()

    def reset(self) -> None:
        """Forget everything that was fetched."""
        self._metadata: Metadata | None = None
        self._keys: Mapping[str | None, PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._failed_at: float | None = None
        self._lock = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Where the issuer does what.

        Raises:
            IssuerUnavailableError: It does not answer, or with something else.
        """
        if self._metadata is None:
            async with self._lock:
                if self._metadata is None:
                    # Of many who wait for an issuer that does not answer, each would wait for it anew.
                    if self._failed_at is not None and time.monotonic() - self._failed_at < PAUSE:
                        raise IssuerUnavailableError(why="it did not answer a moment ago")
                    try:
                        self._metadata = await self._discover()
                    except IssuerUnavailableError:
                        self._failed_at = time.monotonic()
                        raise
        return self._metadata

    async def key(self, key_id: str | None, algorithm: str) -> "PyJWK | None":
        """The public key of that id for that algorithm; None if the issuer has none.

        Args:
            key_id: ``kid`` of a token; None where it has none, which is good where the issuer has one key alone.
            algorithm: ``alg`` of the token.

        Raises:
            IssuerUnavailableError: The issuer does not answer, and its keys are not known.
        """
        if self._due(known=self._find(key_id) is not None):
            async with self._lock:
                if self._due(known=self._find(key_id) is not None):
                    await self._refresh()
        if self._fetched_at is None:
            raise IssuerUnavailableError(why="it did not answer a moment ago")
        key = self._find(key_id)
        return key if key is not None and key.algorithm_name == algorithm else None

    def _find(self, key_id: str | None) -> "PyJWK | None":
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _due(self, *, known: bool) -> bool:
        now = time.monotonic()
        if self._tried_at is not None and now - self._tried_at < self._settings.keys_interval:
            return False
        return not known or self._fetched_at is None or now - self._fetched_at >= self._settings.keys_ttl

    async def _refresh(self) -> None:
        self._tried_at = time.monotonic()
        try:
            metadata = self._metadata = await self._discover()
            self._keys = _parse(await self._get(metadata.jwks_uri, dict[str, Any]), self._settings.algorithms)
        except IssuerUnavailableError as error:
            age = None if self._fetched_at is None else time.monotonic() - self._fetched_at
            if age is None or age >= MAX_STALE:
                self._keys = {}
                raise
            _log.warning("the keys of the issuer cannot be fetched; those known stay in use", why=error.why)
        else:
            self._fetched_at = time.monotonic()

    async def _discover(self) -> Metadata:
        issuer = self._settings.issuer or ""
        metadata: Metadata = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", Metadata)
        if metadata.issuer != issuer:
            # Section 4.3: anybody could otherwise speak for somebody else.
            raise IssuerUnavailableError(why="its configuration is that of another issuer")
        secure = issuer.startswith("https://")
        endpoints = (metadata.jwks_uri, metadata.authorization_endpoint, metadata.token_endpoint)
        if secure and not all(url.startswith("https://") for url in endpoints if url is not None):
            raise IssuerUnavailableError(why="it names an endpoint without TLS")
        return metadata

    async def _get(self, url: str, kind: type[msgspec.Struct] | Any) -> Any:
        import httpx

        try:
            async with self._http().stream("GET", url, timeout=self._settings.timeout) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise IssuerUnavailableError(why=f"status {answer.status_code}")
                body = await _limited(answer)
            return msgspec.json.decode(body, type=kind)
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise IssuerUnavailableError(why=type(error).__name__) from error


async def _limited(answer: "httpx.Response") -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MAX_BYTES:
            raise IssuerUnavailableError(why=f"an answer of more than {MAX_BYTES} bytes")
    return bytes(body)


def _parse(document: Mapping[str, Any], algorithms: tuple[str, ...]) -> "Mapping[str | None, PyJWK]":
    """The usable keys of a JWK set by their ids; symmetric keys, and keys to encrypt with, are none."""
    import jwt

    entries = document.get("keys")
    if not isinstance(entries, list):
        raise IssuerUnavailableError(why="it publishes no key set")
    keys: dict[str | None, PyJWK] = {}
    for entry in entries[:MAX_KEYS]:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("kty") == "oct":
            continue
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue  # of a kind that is unknown here; others may be good
        key_id = entry.get("kid")
        if key.algorithm_name in algorithms and (key_id is None or isinstance(key_id, str)):
            keys.setdefault(key_id, key)
    return keys
