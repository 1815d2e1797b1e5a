"""Tokens of the issuer: recognised, and checked."""

from typing import Any

from bedplate.services.auth.errors import InvalidTokenError, TokenExpiredError
from bedplate.services.auth.oidc.issuer import Issuer
from bedplate.services.settings.groups.oidc import OidcSettings

__all__ = ["IssuerTokens"]

MAX_LENGTH = 16_384
REQUIRED = ["iss", "aud", "sub", "exp", "iat"]
TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
"""``typ`` of access and id tokens (RFC 9068, section 2.1); tokens of other types are for other things."""
MAX_SUBJECT = 255


class IssuerTokens:
    """Checks tokens of the issuer (RFC 9068, OpenID Connect Core 1.0 section 3.1.3.7, RFC 8725).

    Args:
        settings: Issuer, audience, algorithms.
        issuer: Its keys.
        leeway: Seconds that its clock may differ from ours.
    """

    def __init__(self, settings: OidcSettings, issuer: Issuer, leeway: float) -> None:
        self._settings = settings
        self._issuer = issuer
        self._leeway = leeway

    def issued(self, token: str) -> bool:
        """Whether a token says that it is the issuer's; nothing is verified."""
        import jwt

        if self._settings.issuer is None or len(token) > MAX_LENGTH:
            return False
        try:
            payload = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, TypeError):
            return False
        return payload.get("iss") == self._settings.issuer

    async def bearer(self, token: str) -> dict[str, Any]:
        """The claims of a bearer token that is meant for us.

        Raises:
            InvalidTokenError: It is not; TokenExpiredError where it once was.
            IssuerUnavailableError: The issuer's keys are not known, and it does not answer.
        """
        return await self._check(token, self._settings.audience or self._settings.client_id or "")

    async def id_token(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of an id token that answers a login of ours.

        Raises:
            InvalidTokenError: It does not; TokenExpiredError where it once did.
            IssuerUnavailableError: The issuer's keys are not known, and it does not answer.
        """
        claims = await self._check(token, self._settings.client_id or "")
        if claims.get("nonce") != nonce:
            raise InvalidTokenError(why="the id token answers another login")
        if claims.get("azp", self._settings.client_id) != self._settings.client_id:
            raise InvalidTokenError(why="the id token was issued to another client")
        return claims

    async def _check(self, token: str, audience: str) -> dict[str, Any]:
        import jwt

        try:
            header = jwt.get_unverified_header(token) if len(token) <= MAX_LENGTH else {}
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise InvalidTokenError(why=type(error).__name__) from None
        algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if algorithm not in self._settings.algorithms or not (key_id is None or isinstance(key_id, str)):
            raise InvalidTokenError(why="unexpected header")
        if (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
            raise InvalidTokenError(why="a token of another type")
        key = await self._issuer.key(key_id, str(algorithm))
        if key is None:
            raise InvalidTokenError(why="the issuer has no such key")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[str(algorithm)],
                audience=audience,
                issuer=self._settings.issuer,
                leeway=self._leeway,
                options={"require": REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpiredError from None
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            # Only the class: the text of some of these errors quotes the token.
            raise InvalidTokenError(why=type(error).__name__) from None
        if not claims["sub"] or len(claims["sub"]) > MAX_SUBJECT:
            raise InvalidTokenError(why="sub is empty or too long")
        return claims
