"""What can go wrong in the auth service.

::

    AuthenticationError
    ├── InvalidCredentialsError       wrong name or password                     (401, challenge)
    ├── InactiveUserError             right password, account deactivated        (401, challenge)
    ├── InvalidTokenError             bad access, refresh or session token       (401, challenge)
    │   ├── TokenExpiredError         it was good once
    │   └── RefreshReusedError        single-use token used again: family revoked
    ├── MissingCredentialsError       nothing was sent                           (403)
    ├── IdentityNotAllowedError       known to the issuer, not let in here       (403)
    └── InvalidApiKeyError            unknown, inactive or expired key           (403)
    InvalidInputError
    ├── WaitingForApprovalError       right password, account not yet activated  (400)
    ├── InvalidUsernameError · InvalidPasswordError · InvalidSetupTokenError · ApiKeyLimitError
    ├── InvalidScopeError · InvalidExpiryError
    ├── SamePasswordError             the new password is the old one            (400)
    └── OwnAccountError · LastSuperuserError                                     (400)
    PermissionDeniedError
    ├── NotAllowedError · SignUpClosedError · AutoLoginDisabledError · OriginNotAllowedError
    └── InsufficientScopeError · DeniedByPolicyError
    ConflictError
    ├── UsernameTakenError                                                       (400, as clients expect)
    ├── RefreshConflictError          another tab refreshed first                (409)
    ├── SetupCompletedError           there is a superuser already               (409)
    └── KeyRotationError              the signing key is given by a setting      (409)
    RateLimitedError
    └── LoginThrottledError           too many failed logins; when to come back  (429)
    NotFoundError
    ├── OidcDisabledError             there is no issuer to log in at            (404)
    └── UserNotFoundError · SessionNotFoundError · ApiKeyNotFoundError (400 for the last, as clients expect)
    UnavailableError
    └── IssuerUnavailableError        the issuer does not answer                 (503)

An :class:`AuthError` carries ``challenge``: True is a 401 with ``WWW-Authenticate: Bearer``, False a 403.
"""

from typing import ClassVar

from bedplate.services.errors import (
    AuthenticationError,
    BedplateError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    UnavailableError,
)
from bedplate.services.schema import ServiceType

__all__ = [
    "ApiKeyLimitError",
    "ApiKeyNotFoundError",
    "AuthError",
    "AutoLoginDisabledError",
    "DeniedByPolicyError",
    "IdentityNotAllowedError",
    "InactiveUserError",
    "InsufficientScopeError",
    "InvalidApiKeyError",
    "InvalidCredentialsError",
    "InvalidExpiryError",
    "InvalidPasswordError",
    "InvalidScopeError",
    "InvalidSetupTokenError",
    "InvalidTokenError",
    "InvalidUsernameError",
    "IssuerUnavailableError",
    "KeyRotationError",
    "LastSuperuserError",
    "LoginThrottledError",
    "MissingCredentialsError",
    "NotAllowedError",
    "OidcDisabledError",
    "OriginNotAllowedError",
    "OwnAccountError",
    "RefreshConflictError",
    "RefreshReusedError",
    "SamePasswordError",
    "SessionNotFoundError",
    "SetupCompletedError",
    "SignUpClosedError",
    "TokenExpiredError",
    "UserNotFoundError",
    "UsernameTakenError",
    "WaitingForApprovalError",
]


class _AuthServiceError(BedplateError):
    """An error of this service, with the text that existing clients show as its default.

    Args:
        what: What went wrong; None: the default of the class.
        why: The cause, for operators.
        fix: What to do about it.
    """

    text: ClassVar[str]

    def __init__(self, what: str | None = None, *, why: str | None = None, fix: str | None = None) -> None:
        super().__init__(what or self.text, service=ServiceType.AUTH, why=why, fix=fix)


class AuthError(_AuthServiceError, AuthenticationError):
    """Who is calling is not known.

    Attributes:
        challenge: Whether other credentials would help: True is a 401 with a challenge, False a 403.
    """

    challenge: ClassVar[bool] = True


class InvalidCredentialsError(AuthError):
    """Unknown user or wrong password: the two cost the same and read the same."""

    code = "invalid_credentials"
    text = "Incorrect username or password"


class InactiveUserError(AuthError):
    """The password is right, and the account was deactivated."""

    code = "inactive_user"
    text = "Inactive user"


class InvalidTokenError(AuthError):
    """The token is forged, of another kind or installation, or of a session that has ended."""

    code = "invalid_token"
    text = "Could not validate credentials"


class TokenExpiredError(InvalidTokenError):
    """The token was good once."""

    code = "token_expired"
    text = "The token has expired"


class RefreshReusedError(InvalidTokenError):
    """A refresh token was used a second time; its family has been revoked."""

    code = "refresh_reused"
    text = "The refresh token was used before; its session has ended"


class MissingCredentialsError(AuthError):
    """No credentials came with the request."""

    code = "missing_credentials"
    text = "An API key must be passed as query or header"
    challenge = False


class InvalidApiKeyError(AuthError):
    """The API key is unknown, inactive or expired, or its user is not active."""

    code = "invalid_api_key"
    text = "Invalid or missing API key"
    challenge = False


class IdentityNotAllowedError(AuthError):
    """The token is good, and whoever it is about is not let in here."""

    code = "identity_not_allowed"
    text = "This identity is not allowed here"
    challenge = False


class WaitingForApprovalError(_AuthServiceError, InvalidInputError):
    """The password is right, and nobody has activated the account yet."""

    code = "waiting_for_approval"
    text = "Waiting for approval"


class InvalidUsernameError(_AuthServiceError, InvalidInputError):
    """The user name cannot be used."""

    code = "invalid_username"
    text = "This username cannot be used"


class InvalidPasswordError(_AuthServiceError, InvalidInputError):
    """The password cannot be used."""

    code = "invalid_password"
    text = "This password cannot be used"


class SamePasswordError(_AuthServiceError, InvalidInputError):
    """The new password is the old one."""

    code = "same_password"
    text = "You can't use your current password"


class OwnAccountError(_AuthServiceError, InvalidInputError):
    """What was asked cannot be done to one's own account, or to another's."""

    code = "own_account"
    text = "You can't delete your own user account"


class LastSuperuserError(_AuthServiceError, InvalidInputError):
    """The only active superuser cannot be deleted, deactivated or demoted."""

    code = "last_superuser"
    text = "The last superuser can't be deleted, deactivated or demoted"


class InvalidSetupTokenError(_AuthServiceError, InvalidInputError):
    """The one-time link is unknown, used or older than it may be."""

    code = "invalid_setup_token"
    text = "This set-up link is not valid, or not any more"


class ApiKeyLimitError(_AuthServiceError, InvalidInputError):
    """The user has as many API keys as allowed."""

    code = "api_key_limit"
    text = "There are too many API keys"


class InvalidScopeError(_AuthServiceError, InvalidInputError):
    """A scope is unknown, or more than what the key that asks has itself."""

    code = "invalid_scope"
    text = "This scope cannot be granted"


class InvalidExpiryError(_AuthServiceError, InvalidInputError):
    """An API key would have expired already, or would live longer than allowed."""

    code = "invalid_expiry"
    text = "This expiry cannot be set"


class InsufficientScopeError(_AuthServiceError, PermissionDeniedError):
    """The API key is limited to scopes that this operation is not among."""

    code = "insufficient_scope"
    text = "The API key is not made for this"


class DeniedByPolicyError(_AuthServiceError, PermissionDeniedError):
    """The application's own policy forbids it."""

    code = "denied_by_policy"
    text = "Permission denied"


class NotAllowedError(_AuthServiceError, PermissionDeniedError):
    """The caller may not do this to that account."""

    code = "not_allowed"
    text = "Permission denied"


class SignUpClosedError(_AuthServiceError, PermissionDeniedError):
    """Accounts are made by a superuser only."""

    code = "sign_up_closed"
    text = "Sign-up is closed"


class AutoLoginDisabledError(_AuthServiceError, PermissionDeniedError):
    """Automatic login is off, not asked for from this machine itself, or has nobody to log in."""

    code = "auto_login_disabled"
    text = "Auto login is disabled. Please enable it in the settings"


class OriginNotAllowedError(_AuthServiceError, PermissionDeniedError):
    """A request that carries the session cookie comes from a page of another origin."""

    code = "origin_not_allowed"
    text = "The origin of this request is not allowed"


class UsernameTakenError(_AuthServiceError, ConflictError):
    """Another account has this name, in whatever case."""

    code = "username_taken"
    text = "This username is unavailable."


class RefreshConflictError(_AuthServiceError, ConflictError):
    """Another request refreshed this session a moment ago; nothing was revoked."""

    code = "refresh_conflict"
    text = "The session was refreshed by another request a moment ago"


class SetupCompletedError(_AuthServiceError, ConflictError):
    """There is a superuser already."""

    code = "setup_completed"
    text = "The set-up is complete: there is a superuser"


class KeyRotationError(_AuthServiceError, ConflictError):
    """The signing key is given by a setting, so that it can be changed there alone."""

    code = "key_rotation"
    text = "The signing key is given by a setting"

    def __init__(self) -> None:
        super().__init__(
            fix="set another key in BEDPLATE_AUTH__SIGNING_KEY or its file, and name the old one in"
            " BEDPLATE_AUTH__VERIFICATION_KEY_FILES until its tokens have expired"
        )


class LoginThrottledError(RateLimitedError):
    """Too many logins failed for this name, or from this address, or too many logins and sign-ups come from it.

    Args:
        retry_after: Seconds after which another attempt makes sense.
    """

    code = "login_throttled"

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            "Too many attempts: try again later",
            service=ServiceType.AUTH,
            retry_after=retry_after,
            fix="wait, or ask an operator: bedplate auth unlock",
        )


class IssuerUnavailableError(_AuthServiceError, UnavailableError):
    """The OpenID Connect issuer does not answer, or answers something else than an issuer does."""

    code = "issuer_unavailable"
    text = "The issuer of identities does not answer"


class OidcDisabledError(_AuthServiceError, NotFoundError):
    """There is no issuer to log in at."""

    code = "oidc_disabled"
    text = "There is no issuer to log in at"


class UserNotFoundError(_AuthServiceError, NotFoundError):
    """There is no such user."""

    code = "user_not_found"
    text = "User not found"


class SessionNotFoundError(_AuthServiceError, NotFoundError):
    """There is no such login session, it has ended, or it is somebody else's."""

    code = "auth_session_not_found"
    text = "Session not found"


class ApiKeyNotFoundError(_AuthServiceError, NotFoundError):
    """There is no such key, or it is somebody else's."""

    code = "api_key_not_found"
    text = "API Key not found"
