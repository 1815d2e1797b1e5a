"""The part of the auth service that knows the issuer."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bedplate.services.auth.accounts import Accounts
from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.errors import AuthError, InvalidTokenError, OidcDisabledError
from bedplate.services.auth.logins import Logins
from bedplate.services.auth.models import Client, Method, Principal, SessionCookie, TokenPair
from bedplate.services.auth.oidc.code_flow import CodeFlow, StartedLogin
from bedplate.services.auth.oidc.identities import Identities
from bedplate.services.auth.oidc.issuer import Issuer
from bedplate.services.auth.oidc.tokens import IssuerTokens
from bedplate.services.database import DatabaseService
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.keyring import Keyring
from bedplate.services.settings.groups.auth import AuthSettings

if TYPE_CHECKING:
    import httpx

__all__ = ["Oidc"]


class Oidc:
    """Identities of an OpenID Connect issuer.

    Args:
        settings: Which issuer, and whom to let in.
        database: Keeps who is who.
        accounts: Makes users.
        audit: Records who was made.
        http: Calls the issuer.
        keyring: Signs what a browser keeps while it logs in.
        logins: Opens the sessions of whoever logged in.
        ready: Makes the auth service ready, or raises.

    Attributes:
        enabled: Whether there is an issuer.
    """

    def __init__(
        self,
        settings: AuthSettings,
        database: DatabaseService,
        accounts: Accounts,
        audit: Audit,
        http: HttpEngine,
        keyring: Keyring,
        logins: Logins,
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._audit = audit
        self._logins = logins
        self._ready = ready
        self.enabled = settings.oidc.issuer is not None
        self._browser = self.enabled and settings.oidc.client_id is not None
        client: Callable[[], httpx.AsyncClient] = lambda: http.client  # noqa: E731 - made at first use
        self._issuer = Issuer(settings.oidc, client)
        self._tokens = IssuerTokens(settings.oidc, self._issuer, settings.clock_leeway)
        self._identities = Identities(settings, database, accounts, audit)
        self._flow = CodeFlow(
            settings.oidc, self._issuer, self._tokens, client, lambda: keyring.derive("auth/oidc-login")
        )

    def start(self) -> None:
        """Forget what was fetched before, and on another event loop."""
        self._issuer.reset()

    def issued(self, token: str) -> bool:
        """Whether a token says that it is the issuer's; nothing is verified."""
        return self.enabled and self._tokens.issued(token)

    async def verify(self, token: str) -> Principal:
        """Who a token of the issuer belongs to; somebody new becomes a user as far as the settings let them.

        Raises:
            InvalidTokenError: It is not good, or not meant for us; TokenExpiredError where it once was.
            IdentityNotAllowedError: The claims do not let in, or nobody new is let in.
            InactiveUserError: The user is deactivated, or waits for activation.
            IssuerUnavailableError: The issuer's keys are not known, and it does not answer.
        """
        claims: dict[str, Any] = await self._tokens.bearer(token)
        found = await self._identities.resolve(claims)
        return Principal(
            user=found.user,
            method=Method.OIDC,
            identity_id=found.identity_id,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )

    async def begin_login(self, redirect_uri: str) -> StartedLogin:
        """Begin to log in with a browser at the issuer of the settings.

        Args:
            redirect_uri: Where the issuer sends the browser back to, unless a setting says.

        Raises:
            OidcDisabledError: There is no issuer, or we are no client of it.
            IssuerUnavailableError: It does not answer.
        """
        await self._require_browser()
        return await self._flow.begin(redirect_uri)

    async def finish_login(
        self, code: str, state: str, cookie: str, *, client: Client
    ) -> tuple[TokenPair, SessionCookie]:
        """Open the sessions of whoever logged in at the issuer: tokens, and the cookie of the dashboard.

        Args:
            code: ``code`` of the callback.
            state: ``state`` of the callback.
            cookie: What :meth:`begin_login` gave to the browser.
            client: Where the request comes from.

        Raises:
            OidcDisabledError: There is no issuer, or we are no client of it.
            InvalidTokenError: This browser began no such login, or the issuer refuses it.
            IdentityNotAllowedError: The claims do not let in, or nobody new is let in.
            InactiveUserError: The user is deactivated, or waits for activation.
            IssuerUnavailableError: The issuer does not answer.
        """
        await self._require_browser()
        try:
            found = await self._identities.resolve(await self._flow.finish(code, state, cookie), client)
            row = await self._identities.row_of(found.user)
            if row is None:
                raise InvalidTokenError(why="the account is gone")
        except AuthError as error:
            details = {"reason": error.code, "by": "issuer"}
            await self._audit.record(AuditKind.LOGIN_FAILED, client=client, details=details)
            raise
        return await self._logins.as_user(row, client), await self._logins.as_user_by_cookie(row, client)

    async def _require_browser(self) -> None:
        await self._ready()
        if not self._browser:
            raise OidcDisabledError
