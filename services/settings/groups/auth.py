"""Settings of the auth service."""

from typing import Literal

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Location, Seconds, ServiceSettings

__all__ = ["AuthSettings"]


class AuthSettings(ServiceSettings):
    """Users, tokens and keys (``BEDPLATE_AUTH__*``)."""

    backend: str = "database"
    """Where users are kept: ``database``."""
    access_token_ttl: Seconds = 3600.0
    """Seconds that an access token is valid."""
    refresh_token_ttl: Seconds = 7 * 24 * 3600.0
    """Seconds that a refresh token is valid."""
    refresh_grace: Seconds = 1.0
    """Seconds in which a second use of a refresh token is a conflict (409) rather than theft."""
    issuer: str = "bedplate"
    """``iss`` of the tokens."""
    audience: str = "bedplate"
    """``aud`` of the tokens."""
    argon2_memory_kib: int = Field(default=19_456, ge=8)
    """Memory that hashing a password takes, in KiB (OWASP: 19 MiB)."""
    argon2_time_cost: int = Field(default=2, ge=1)
    """Passes over that memory."""
    argon2_parallelism: int = Field(default=1, ge=1)
    """Lanes of that memory."""
    sign_up: Literal["open", "approval", "closed"] = "approval"
    """Who may make an account: anyone, anyone who then waits for activation, or nobody."""
    password_min_length: int = Field(default=1, ge=1)
    """Fewest characters of a password."""
    superuser: str | None = None
    """Name of the superuser to make where there is none."""
    superuser_password: SecretStr | None = None
    """Password of that superuser."""
    superuser_password_file: Location | None = None
    """File that holds that password."""
    setup_ttl: Seconds = 1800.0
    """Seconds that the one-time link to /setup is valid."""
    auto_login: bool = False
    """Automatic login as the superuser, on loopback addresses only, for development."""
    cookie_secure: bool = True
    """Whether cookies are sent over HTTPS only (and to localhost)."""
    cookie_domain: str | None = None
    """Domain of the cookies; unset: the host alone."""
