"""The auth service."""

import uuid
from collections.abc import Collection

from bedplate.services.auth.account_rules import username_key
from bedplate.services.auth.accounts import Accounts
from bedplate.services.auth.api_keys import ApiKeys
from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.checks import CHECKS
from bedplate.services.auth.errors import (
    AutoLoginDisabledError,
    DeniedByPolicyError,
    InsufficientScopeError,
    MissingCredentialsError,
)
from bedplate.services.auth.key_ring import KeyRing
from bedplate.services.auth.logins import Logins
from bedplate.services.auth.models import Client, Credentials, Principal, SessionCookie, SetupToken, TokenPair, User
from bedplate.services.auth.oidc import Oidc
from bedplate.services.auth.origins import check_origin, is_loopback
from bedplate.services.auth.passwords import Passwords
from bedplate.services.auth.periodic import Periodic
from bedplate.services.auth.policy import AuthorizationPolicy, Resource
from bedplate.services.auth.records import KeyRotation
from bedplate.services.auth.scopes import Scope, covers
from bedplate.services.auth.sessions import Sessions
from bedplate.services.auth.setup import Setup
from bedplate.services.auth.throttle import LoginThrottle
from bedplate.services.auth.throttle_store import ThrottleStore
from bedplate.services.auth.tokens import Tokens
from bedplate.services.auth.usage import Usage
from bedplate.services.auth.user_sessions import UserSessions
from bedplate.services.auth.users import Users
from bedplate.services.base import Service
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.api_key import ApiKeyRepository
from bedplate.services.database.repositories.auth_session import AuthSessionRepository
from bedplate.services.database.repositories.identity import IdentityRepository
from bedplate.services.database.repositories.user import UserRepository
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["AuthService"]

NOWHERE = Client()

_log = get_logger("bedplate.auth")


class AuthService(Service):
    """Users, passwords, tokens, API keys and sessions; :meth:`verify` is the one way to learn who is calling.

    Attributes:
        users: The accounts.
        api_keys: The keys of users.
        sessions: Where users are logged in.
        audit: The log of security events.
        oidc: Identities of an OpenID Connect issuer.
    """

    type = ServiceType.AUTH
    part_names = ("users", "sessions", "api_keys", "oidc", "audit")
    checks = CHECKS
    backend = "database"

    def __init__(
        self,
        settings: SettingsService,
        telemetry: TelemetryService,
        database: DatabaseService,
        keyring: Keyring,
        workers: Workers,
        http: HttpEngine,
        policy: AuthorizationPolicy,
        throttle: ThrottleStore,
    ) -> None:
        self._policy = policy
        self._settings = settings.values.auth
        self._origins = settings.values.server.cors_origins
        self._database = database
        self.audit = Audit(self._settings, database)
        self._usage = Usage(self._settings, telemetry, database)
        self._keys = KeyRing(self._settings, keyring, workers, settings.values.data_dir)
        self._tokens = Tokens(self._settings, self._keys, workers)
        self._sessions = Sessions(self._settings, database, self._tokens, self._usage, self.audit)
        self.sessions = UserSessions(database, self._usage, self.audit)
        passwords = Passwords(self._settings, workers)
        self._throttle = LoginThrottle(self._settings, throttle, keyring, self.audit)
        self._logins = Logins(
            self._settings, telemetry, database, passwords, self._sessions, self.audit, self._throttle
        )
        accounts = Accounts(self._settings, database, passwords, self.audit)
        self.users = Users(self._settings, database, passwords, accounts, self.audit, self._throttle)
        self.api_keys = ApiKeys(self._settings, database, self._usage, self.audit)
        self.oidc = Oidc(self._settings, database, accounts, self.audit, http, keyring, self._logins, self._ready)
        self._setup = Setup(self._settings, database, accounts, workers)
        self._housekeeping = Periodic(
            "bedplate-auth-housekeeping", self._settings.housekeeping_interval, self._keep_house, at_stop=False
        )

    async def _start(self) -> None:
        await self._throttle.check_store()
        await self._keys.start()
        self.oidc.start()
        await self._setup.provision()
        if self._settings.auto_login:
            _log.warning("automatic login is on: whoever works on this machine is a superuser; for development only")
        self._usage.start()
        self._housekeeping.start()

    async def _check(self) -> str | None:
        try:
            await self._throttle.check_store()
        except BedplateError as error:
            return f"nobody can log in with a password: {error}"
        return None

    async def _stop(self) -> None:
        await self._housekeeping.stop()
        await self._usage.stop()
        await self._keys.stop()

    async def login(self, username: str, password: str, *, client: Client = NOWHERE) -> TokenPair:
        """Log in for an access and a refresh token.

        Raises:
            InvalidCredentialsError: Unknown user or wrong password; the two cost the same and read the same.
            WaitingForApprovalError: The password is right, the account not activated yet.
            InactiveUserError: The password is right, the account deactivated.
            LoginThrottledError: Too many logins failed for this name or from this address.
            RateLimitedError: Too many passwords are being hashed.
        """
        await self._ready()
        return await self._logins.tokens(username, password, client)

    async def refresh(self, refresh_token: str, *, client: Client = NOWHERE) -> TokenPair:
        """Exchange a refresh token, once, for a new pair.

        Raises:
            InvalidTokenError: The token or its session is not good (any more); TokenExpiredError where it once was.
            RefreshReusedError: It was used before: its session has been revoked.
            RefreshConflictError: It was used a moment ago, by another tab; nothing was revoked.
        """
        await self._ready()
        return await self._sessions.refresh(refresh_token, client)

    async def logout(self, *tokens: str, client: Client = NOWHERE) -> bool:
        """End the sessions of these access or refresh tokens or cookie values; whether any was alive.

        Expired tokens will do, and worthless ones are passed over: whoever asks to be logged out is.
        """
        await self._ready()
        return await self._sessions.end(*tokens, client=client) > 0

    async def verify(self, credentials: Credentials) -> Principal:
        """Who is calling. A bearer token goes before a key, a key before the session cookie; only the first counts.

        Raises:
            MissingCredentialsError: There are none.
            InvalidTokenError: The token, cookie or its session is not good; TokenExpiredError where it once was.
            InvalidApiKeyError: The key is unknown, inactive or expired, or its user is not active.
            IdentityNotAllowedError: The token is of the issuer of the settings, and its owner is not let in.
            InactiveUserError: The token is of that issuer, and the user is deactivated.
            IssuerUnavailableError: The token is of that issuer, whose keys are not known, and who does not answer.
        """
        self._require_started()
        if credentials.bearer:
            await self._ready()
            if self._keys.of_token(credentials.bearer) is None and self.oidc.issued(credentials.bearer):
                return await self.oidc.verify(credentials.bearer)
            return await self._sessions.by_access_token(credentials.bearer)
        if credentials.api_key:
            return await self.api_keys.verify(credentials.api_key)
        if credentials.cookie:
            return await self._sessions.by_cookie(credentials.cookie)
        raise MissingCredentialsError

    async def authorize(self, principal: Principal, action: Scope | None, resource: Resource) -> None:
        """Raise unless a caller, as verified, may do this, as far as scopes and the application's policy go.

        What belongs to whom is checked by the services, whatever this allows.

        Args:
            principal: The caller.
            action: The scope that the operation asks for; None: one that only callers without limits have.
            resource: What it asks for.

        Raises:
            InsufficientScopeError: The API key is limited to other scopes.
            DeniedByPolicyError: The policy forbids it.
        """
        if not covers(principal.scopes, action):
            raise InsufficientScopeError(
                why=f"{resource.kind} asks for {action or 'a key without limits'}",
                fix="use a key that was made with this scope" if action else "use a key without scopes, or a login",
            )
        if not await self._policy.allows(principal, action, resource):
            _log.warning(
                "denied by policy", user_id=str(principal.user.id), action=action and str(action), kind=resource.kind
            )
            raise DeniedByPolicyError

    async def alive(self, principals: Collection[Principal]) -> frozenset[uuid.UUID]:
        """Which of them would be verified again: for connections that outlive the request that they began with.

        Asks the database once for all, and counts no use of a key.

        Args:
            principals: Callers, as verified once.

        Returns:
            Their ``credential_id``, for those whose session, key or identity and whose user are still good.
        """
        self._require_started()
        sessions = {principal.session_id for principal in principals if principal.session_id}
        keys = {principal.api_key_id for principal in principals if principal.api_key_id}
        identities = {principal.identity_id for principal in principals if principal.identity_id}
        now = utc_now()
        async with self._database.session() as session:
            return (
                await AuthSessionRepository(session).alive(sessions, now)
                | await ApiKeyRepository(session).alive(keys, now)
                | await IdentityRepository(session).alive(identities)
            )

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Refuse pages of other origins: for what a cookie authenticates and that changes something, or is a handshake.

        Args:
            origin: The ``Origin`` header.
            host: The ``Host`` header.

        Raises:
            OriginNotAllowedError: It is neither the server's own origin nor one of ``BEDPLATE_SERVER__CORS_ORIGINS``.
        """
        check_origin(origin, host, self._origins)

    async def open_cookie_session(self, username: str, password: str, *, client: Client = NOWHERE) -> SessionCookie:
        """Log in for the session cookie of the dashboard; raises as :meth:`login`."""
        self._require_started()
        return await self._logins.cookie(username, password, client)

    def expired_cookie(self) -> SessionCookie:
        """The cookie that deletes the session cookie."""
        return self._sessions.cookie("", 0)

    async def auto_login(self, client: Client) -> TokenPair:
        """Log in as the first superuser without a password: in development, for callers on this machine.

        Raises:
            AutoLoginDisabledError: The setting is off, the caller is elsewhere, or there is no superuser yet.
        """
        await self._ready()
        if not self._settings.auto_login:
            raise AutoLoginDisabledError(fix="log in with name and password")
        if not is_loopback(client):
            raise AutoLoginDisabledError("Auto login works from this machine only", fix="log in with name and password")
        async with self._database.session() as session:
            superusers = await UserRepository(session).active_superusers()
        if not superusers:
            raise AutoLoginDisabledError("Auto login needs a superuser", fix="make one at the /setup link first")
        _log.warning("automatic login", user_id=str(superusers[0].id), address=client.address)
        return await self._logins.as_user(superusers[0], client)

    def public_keys(self) -> list[dict[str, str]]:
        """The public keys of tokens, as members of a JWK set (RFC 7517), the one that signs first; none for HS256."""
        self._require_started()
        return self._keys.public()

    async def rotate_keys(self) -> KeyRotation:
        """Sign with a new key from now on; tokens of the old one are good until they expire.

        This process changes at once, every other one within ``BEDPLATE_AUTH__SIGNING_KEY_RELOAD`` seconds, and before
        that as soon as it sees a token of the new key.

        Raises:
            KeyRotationError: The key is given by a setting.
            ConfigurationError: The key cannot be written.
        """
        self._require_started()
        rotation = await self._keys.rotate()
        await self.audit.record(
            AuditKind.SIGNING_KEY_ROTATED,
            target_id=rotation.key_id,
            details={"algorithm": rotation.algorithm, "previous": rotation.previous_key_id},
        )
        _log.warning("signing key rotated", key_id=rotation.key_id, previous_key_id=rotation.previous_key_id)
        return rotation

    async def unlock(self, username: str) -> bool:
        """Forget the failed logins of a name, and the lockout that they led to; for the command line.

        Returns:
            Whether there was anything to forget.
        """
        self._require_started()
        async with self._logins.joined():
            unlocked = await self._throttle.unlock(username)
            if unlocked:
                async with self._database.session() as session:
                    row = await UserRepository(session).by_name(username_key(username))
                await self.audit.record(AuditKind.UNLOCKED, user_id=row.id if row else None)
        return unlocked

    async def setup_needed(self) -> bool:
        """Whether there is no superuser yet."""
        return await self._setup.needed()

    async def setup_token(self) -> SetupToken | None:
        """A new one-time token for the link to ``/setup``, which ends any earlier; None where there is a superuser."""
        return await self._setup.new_token()

    async def check_setup_token(self, token: str) -> None:
        """Raise as :meth:`complete_setup` would for this token, without using it up."""
        await self._setup.check(token)

    async def complete_setup(self, token: str, username: str, password: str, *, client: Client = NOWHERE) -> User:
        """Make the first superuser, with the token of the newest link; of several callers at once, one succeeds.

        Raises:
            SetupCompletedError: There is a superuser.
            InvalidSetupTokenError: The token is unknown, used or expired.
            InvalidUsernameError: The name cannot be used.
            InvalidPasswordError: The password cannot be used.
            UsernameTakenError: An ordinary user has the name.
        """
        self._require_started()
        return await self._setup.complete(token, username, password, client)

    async def create_superuser(self, username: str, password: str) -> User:
        """Make a superuser, for the command line.

        Raises:
            InvalidUsernameError: The name cannot be used.
            InvalidPasswordError: The password cannot be used.
            UsernameTakenError: Somebody has the name.
        """
        self._require_started()
        return await self._setup.create_superuser(username, password, by="command line")

    async def _keep_house(self) -> None:
        try:
            await self.audit.prune()
            await self._throttle.prune()
        except Exception as error:
            _log.warning("what is too old could not be deleted yet", error=type(error).__name__)

    async def _ready(self) -> None:
        self._require_started()
        if not self._tokens.ready:
            await self._tokens.prepare()
