"""The part of the auth service that knows the issuer."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bedplate.services.auth.accounts import Accounts
from bedplate.services.auth.audit import Audit
from bedplate.services.auth.errors import InvalidTokenError, OidcDisabledError
from bedplate.services.auth.models import Client, Method, Principal
from bedplate.services.auth.oidc.code_flow import CodeFlow, StartedLogin
from bedplate.services.auth.oidc.identities import Identities
from bedplate.services.auth.oidc.issuer import Issuer
from bedplate.services.auth.oidc.tokens import IssuerTokens
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow
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
    ) -> None:
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

    async def begin(self, redirect_uri: str) -> StartedLogin:
        """Begin to log in with a browser.

        Raises:
            OidcDisabledError: There is no issuer, or we are no client of it.
            IssuerUnavailableError: It does not answer.
        """
        if not self._browser:
            raise OidcDisabledError
        return await self._flow.begin(redirect_uri)

    async def finish(self, code: str, state: str, cookie: str, client: Client) -> UserRow:
        """The user who logged in at the issuer.

        Raises:
            OidcDisabledError: There is no issuer, or we are no client of it.
            InvalidTokenError: This browser began no such login, or the issuer refuses it.
            IdentityNotAllowedError: The claims do not let in, or nobody new is let in.
            InactiveUserError: The user is deactivated, or waits for activation.
            IssuerUnavailableError: The issuer does not answer.
        """
        if not self._browser:
            raise OidcDisabledError
        claims = await self._flow.finish(code, state, cookie)
        found = await self._identities.resolve(claims, client)
        row = await self._identities.row_of(found.user)
        if row is None:
            raise InvalidTokenError(why="the account is gone")
        return row
