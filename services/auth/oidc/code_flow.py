"""Logging in with a browser: the authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636, RFC 9700)."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from bedplate.services.auth.errors import InvalidTokenError, IssuerUnavailableError
from bedplate.services.auth.oidc.issuer import Issuer
from bedplate.services.auth.oidc.tokens import IssuerTokens
from bedplate.services.auth.signing_keys import base64url
from bedplate.services.settings.groups.oidc import OidcSettings

if TYPE_CHECKING:
    import httpx

__all__ = ["CodeFlow", "StartedLogin"]

MAX_AGE = 600.0
"""Seconds that a login at the issuer may take."""
MAX_COOKIE = 2048


class StartedLogin(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send the browser, and what it has to bring back.

    Attributes:
        url: The issuer's page.
        cookie: What this browser, and no other, must send with the callback.
        max_age: Seconds that it is good for.
    """

    url: str
    cookie: str
    max_age: int

    def __repr__(self) -> str:
        return "StartedLogin(***)"


class _Pending(msgspec.Struct, frozen=True):
    """A login under way, kept by the browser that began it."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    expires_at: float


class _TokenAnswer(msgspec.Struct, frozen=True):
    id_token: str


class CodeFlow:
    """Begins and ends logins at the issuer. Nothing is kept in between but a signed cookie, so any replica ends them.

    Args:
        settings: Client, secret, scopes.
        issuer: Its endpoints.
        tokens: Checks what it answers.
        http: Gives the pooled client.
        secret: Gives the key that signs the cookie.
    """

    def __init__(
        self,
        settings: OidcSettings,
        issuer: Issuer,
        tokens: IssuerTokens,
        http: Callable[[], "httpx.AsyncClient"],
        secret: Callable[[], bytes],
    ) -> None:
        self._settings = settings
        self._issuer = issuer
        self._tokens = tokens
        self._http = http
        self._secret = secret

    async def begin(self, redirect_uri: str) -> StartedLogin:
        """Begin a login.

        Args:
            redirect_uri: Where the issuer sends the browser back to, unless a setting says.

        Raises:
            IssuerUnavailableError: The issuer does not answer, or has no page to log in.
        """
        metadata = await self._issuer.metadata()
        if metadata.authorization_endpoint is None or metadata.token_endpoint is None:
            raise IssuerUnavailableError(why="it has no authorization or token endpoint")
        pending = _Pending(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            redirect_uri=self._settings.redirect_uri or redirect_uri,
            expires_at=time.time() + MAX_AGE,
        )
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id or "",
            "redirect_uri": pending.redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": base64url(hashlib.sha256(pending.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        separator = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return StartedLogin(
            url=f"{metadata.authorization_endpoint}{separator}{urlencode(query)}",
            cookie=self._seal(pending),
            max_age=int(MAX_AGE),
        )

    async def finish(self, code: str, state: str, cookie: str) -> dict[str, Any]:
        """The claims of whoever logged in at the issuer.

        Args:
            code: ``code`` of the callback.
            state: ``state`` of the callback.
            cookie: The cookie of the browser.

        Raises:
            InvalidTokenError: This browser began no such login, or too long ago, or the issuer refuses the code.
            IssuerUnavailableError: The issuer does not answer.
        """
        pending = self._open(cookie)
        if not hmac.compare_digest(pending.state.encode(), state.encode("utf-8", "surrogatepass")):
            raise InvalidTokenError(why="the callback answers another login")
        id_token = await self._exchange(code, pending)
        return await self._tokens.id_token(id_token, pending.nonce)

    async def _exchange(self, code: str, pending: _Pending) -> str:
        import httpx

        metadata = await self._issuer.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": pending.redirect_uri,
            "client_id": self._settings.client_id or "",
            "code_verifier": pending.verifier,
        }
        headers = {}
        if self._settings.client_secret is not None:
            # Both are form-encoded before they are put together (RFC 6749, section 2.3.1).
            pair = (form.pop("client_id"), self._settings.client_secret.get_secret_value())
            encoded = base64.b64encode(":".join(quote(part, safe="") for part in pair).encode()).decode()
            headers["Authorization"] = f"Basic {encoded}"
        try:
            answer = await self._http().post(
                metadata.token_endpoint or "", data=form, headers=headers, timeout=self._settings.timeout
            )
        except httpx.HTTPError as error:
            raise IssuerUnavailableError(why=type(error).__name__) from error
        if answer.is_server_error:
            raise IssuerUnavailableError(why=f"status {answer.status_code}")
        if answer.is_error:
            raise InvalidTokenError(why=f"the issuer refuses the code with status {answer.status_code}")
        try:
            return msgspec.json.decode(answer.content, type=_TokenAnswer).id_token
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise IssuerUnavailableError(why=type(error).__name__) from None

    def _seal(self, pending: _Pending) -> str:
        content = base64url(msgspec.json.encode(pending))
        return f"{content}.{self._signature(content)}"

    def _open(self, cookie: str) -> _Pending:
        content, _, signature = cookie[:MAX_COOKIE].partition(".")
        if not hmac.compare_digest(self._signature(content).encode(), signature.encode("utf-8", "surrogatepass")):
            raise InvalidTokenError(why="no login of this browser is under way")
        pending = msgspec.json.decode(base64.urlsafe_b64decode(content + "=="), type=_Pending)
        if pending.expires_at <= time.time():
            raise InvalidTokenError(why="the login took too long")
        return pending

    def _signature(self, content: str) -> str:
        return base64url(hmac.digest(self._secret(), content.encode("utf-8", "surrogatepass"), "sha256"))
