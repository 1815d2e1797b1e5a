"""JSON Web Tokens: issued and checked in one place (RFC 7519, hardened as RFC 8725 says)."""

import functools
import importlib
import time
import uuid
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from bedplate.services.auth.errors import InvalidTokenError, TokenExpiredError
from bedplate.services.auth.key_ring import KeyRing
from bedplate.services.auth.signing_keys import SigningKey
from bedplate.services.engines.workers import Workers
from bedplate.services.settings.groups.auth import AuthSettings

if TYPE_CHECKING:
    import jwt

__all__ = ["Claims", "TokenType", "Tokens"]

REQUIRED = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "typ", "sid"]
MAX_LENGTH = 4096
"""Characters; a token of ours has less than 1,000, or 2,000 with a large RSA key; what is longer is not parsed."""


class TokenType(StrEnum):
    """What a token is for; one is never accepted for another."""

    ACCESS = "access"
    REFRESH = "refresh"


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says, after all of it was checked.

    Attributes:
        user_id: ``sub``.
        session_id: ``sid``, the login session that the token lives and dies with.
        token_id: ``jti``.
        expires_at: ``exp``, in seconds since 1970.
    """

    user_id: uuid.UUID
    session_id: uuid.UUID
    token_id: str
    expires_at: int


class Tokens:
    """Issues and checks tokens under keys of the installation's own.

    PyJWT is imported at first use, since with all of cryptography that it brings it costs a good part of a start.

    Args:
        settings: Issuer, audience, lifetimes.
        keys: The keys to sign and verify with.
        workers: Imports.

    Attributes:
        ready: Whether the import is done.
    """

    def __init__(self, settings: AuthSettings, keys: KeyRing, workers: Workers) -> None:
        self.ready = False
        self._settings = settings
        self._keys = keys
        self._workers = workers
        self._ttl = {TokenType.ACCESS: settings.access_token_ttl, TokenType.REFRESH: settings.refresh_token_ttl}

    async def prepare(self) -> None:
        """Import PyJWT where the event loop does not stand still for it."""
        await self._workers.run("auth", 1, importlib.import_module, "jwt")
        self.ready = True

    def issue(self, kind: TokenType, *, user_id: uuid.UUID, session_id: uuid.UUID, token_id: str) -> str:
        """A signed token that is valid from now on for the lifetime of its kind."""
        now = time.time()
        claims = {
            "iss": self._settings.issuer,
            "aud": self._settings.audience,
            "sub": str(user_id),
            "exp": int(now + self._ttl[kind]),
            "nbf": int(now),
            "iat": int(now),
            "jti": token_id,
            "typ": kind.value,
            "sid": str(session_id),
        }
        key = self._keys.current
        # The claims are JSON already: PyJWT's own way to it is slower than signing.
        return _jws().encode(orjson.dumps(claims), key.signs, algorithm=key.algorithm, headers={"kid": key.id})

    async def check(self, token: str, kind: TokenType | None, *, expired: bool = False) -> Claims:
        """As :meth:`read`, and look for the key of the token where another process may have made it."""
        try:
            return self.read(token, kind, expired=expired)
        except InvalidTokenError:
            if not await self._keys.look_for(_key_id(token)):
                raise
        return self.read(token, kind, expired=expired)

    def read(self, token: str, kind: TokenType | None, *, expired: bool = False) -> Claims:
        """Check a token and return what it says.

        Args:
            token: The compact serialisation.
            kind: What it must be for; None: anything.
            expired: Accept one that was good once, as logout does.

        Raises:
            TokenExpiredError: It was good once.
            InvalidTokenError: It is not a token of this installation and kind, or not valid yet.
        """
        import jwt

        if len(token) > MAX_LENGTH:
            raise InvalidTokenError(why=f"longer than {MAX_LENGTH} characters")
        key = self._keys.of_token(token) or self._keys.get(_key_id(token))
        if key is None:
            raise InvalidTokenError(why="unknown key")
        try:
            decoded = jwt.decode_complete(
                token,
                key.verifies,
                # The algorithm is the key's own, whatever the token says (RFC 8725, section 3.1).
                algorithms=[key.algorithm],
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=self._settings.clock_leeway,
                options={"require": REQUIRED, "strict_aud": True, "verify_exp": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            # Only the class: the text of some of these errors quotes the token.
            raise InvalidTokenError(why=type(error).__name__) from None
        claims = _claims(key, decoded["header"], decoded["payload"], kind)
        if not expired and decoded["payload"]["exp"] <= time.time():
            raise TokenExpiredError
        return claims


@functools.cache
def _jws() -> "jwt.PyJWS":
    import jwt

    return jwt.PyJWS()


def _key_id(token: str) -> object:
    """What an unverified token calls its key; None if it calls it nothing."""
    import jwt

    try:
        return jwt.get_unverified_header(token).get("kid") if len(token) <= MAX_LENGTH else None
    except (jwt.PyJWTError, ValueError, TypeError):
        return None


def _claims(key: SigningKey, header: dict[str, Any], payload: dict[str, Any], kind: TokenType | None) -> Claims:
    # Signed by us, yet not to be trusted blindly: another version may have issued it.
    if header != key.header:
        raise InvalidTokenError(why="unexpected header")
    if payload["typ"] not in ([kind] if kind else list(TokenType)):
        raise InvalidTokenError(why="a token of another type")
    if type(payload["exp"]) is not int:
        raise InvalidTokenError(why="exp is no integer")
    try:
        return Claims(
            user_id=uuid.UUID(payload["sub"]),
            session_id=uuid.UUID(payload["sid"]),
            token_id=payload["jti"],
            expires_at=payload["exp"],
        )
    except (ValueError, AttributeError, TypeError):
        raise InvalidTokenError(why="sub or sid is no UUID") from None
