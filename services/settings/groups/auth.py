"""Settings of the auth service."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from bedplate.services.settings.groups.base import Location, Seconds, ServiceSettings
from bedplate.services.settings.groups.oidc import OidcSettings

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
    session_max_ttl: Seconds = 30 * 24 * 3600.0
    """Seconds after which a session ends however often its token was refreshed."""
    cookie_session_ttl: Seconds = 12 * 3600.0
    """Seconds that the session of a cookie (dashboard, /setup) lasts."""
    sessions_per_user: int = Field(default=1000, ge=1)
    """Sessions that a user may have at once; a further login ends the oldest."""
    clock_leeway: Seconds = Field(default=5.0, le=60)
    """Seconds that the clock of the replica that issued a token may be ahead of ours."""
    issuer: str = "bedplate"
    """``iss`` of the tokens."""
    audience: str = "bedplate"
    """``aud`` of the tokens."""
    algorithm: Literal["HS256", "RS256", "EdDSA"] = "HS256"
    """How tokens are signed: with the secret key, or with a key of their own that others can verify by JWKS."""
    previous_algorithms: tuple[Literal["HS256", "RS256", "EdDSA"], ...] = ()
    """Algorithms of before, whose tokens are good until they expire."""
    signing_key: SecretStr | None = None
    """PEM of the private key to sign with (RS256, EdDSA); unset: keys are made and kept in the data directory."""
    signing_key_file: Location | None = None
    """File that holds that PEM."""
    verification_key_files: tuple[Location, ...] = ()
    """Files with PEMs of further keys, private or public, whose tokens are good: those of before, or of after."""
    rsa_key_bits: int = Field(default=2048, ge=2048, le=8192)
    """Size of the RSA keys that are made."""
    signing_key_reload: float = Field(default=30.0, gt=0)
    """Seconds after which every process signs with a key that another has rotated to."""
    argon2_memory_kib: int = Field(default=19_456, ge=8)
    """Memory that hashing a password takes, in KiB (OWASP: 19 MiB)."""
    argon2_time_cost: int = Field(default=2, ge=1)
    """Passes over that memory."""
    argon2_parallelism: int = Field(default=1, ge=1)
    """Lanes of that memory."""
    hashing_threads: int = Field(default=2, ge=1)
    """Passwords that are hashed at once."""
    hashing_queue: int = Field(default=256, ge=0)
    """Passwords that may wait to be hashed; a login beyond that is told to come back later."""
    throttle: Literal["database", "redis"] = "database"
    """Where failed logins are counted, for all replicas that share it: in the database, or at a Redis server."""
    redis_url: SecretStr | None = None
    """URL of a Redis server of its own, for ``throttle``; unset: that of ``BEDPLATE_REDIS__URL``."""
    login_failures_per_account: int = Field(default=10, ge=0)
    """Failed logins for one name, known or not, after which it is locked for a while; 0: any number."""
    login_failure_window: float = Field(default=900.0, gt=0)
    """Seconds in which those count together."""
    login_failures_per_address: int = Field(default=300, ge=0)
    """Failed logins from one address in a minute after which it is locked for a while; 0: any number."""
    login_rate_per_address: int = Field(default=600, ge=0)
    """Logins, failed or not, and sign-ups that are taken from one address in a minute, by each process or, with
    ``throttle`` at a Redis server, by all replicas together; 0: any number."""
    login_lockout: float = Field(default=60.0, gt=0)
    """Seconds of a lockout; each further one lasts twice as long."""
    login_lockout_max: float = Field(default=900.0, gt=0)
    """Seconds of the longest lockout."""
    sign_up: Literal["open", "approval", "closed"] = "approval"
    """Who may make an account: anyone, anyone who then waits for activation, or nobody."""
    password_min_length: int = Field(default=1, ge=1)
    """Fewest characters of a password."""
    password_max_bytes: int = Field(default=1024, ge=72)
    """Longest password, in bytes of UTF-8."""
    username_max_length: int = Field(default=150, ge=1)
    """Longest user name, in characters."""
    api_keys_per_user: int = Field(default=1000, ge=1)
    """API keys that a user may have."""
    api_key_max_ttl: Seconds = 0.0
    """Seconds that an API key may be valid for at most; 0: for ever."""
    key_usage_interval: float = Field(default=5.0, gt=0)
    """Seconds between two records of how often API keys were used."""
    key_usage_pending: int = Field(default=10_000, ge=1)
    """API keys whose use may wait to be recorded; uses of further ones are not counted."""
    audit_retention: float = Field(default=400 * 24 * 3600.0, ge=0)
    """Seconds that security events are kept, at least 30 days; 0: for ever."""
    housekeeping_interval: float = Field(default=3600.0, gt=0)
    """Seconds between two looks for what is too old to be kept."""
    oidc: OidcSettings = Field(default_factory=OidcSettings)
    """Users of an OpenID Connect issuer."""
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

    @model_validator(mode="after")
    def _enough_memory(self) -> Self:
        if self.argon2_memory_kib < 8 * self.argon2_parallelism:
            raise ValueError("argon2_memory_kib must be at least 8 times argon2_parallelism")
        return self

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if 0 < self.audit_retention < 30 * 24 * 3600:
            raise ValueError("audit_retention must be at least 30 days (2592000), or 0 for ever")
        return self

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if self.signing_key is not None and self.signing_key_file is not None:
            raise ValueError("signing_key and signing_key_file exclude each other")
        given = self.signing_key is not None or self.signing_key_file is not None
        if given and self.algorithm == "HS256":
            raise ValueError("signing_key is for RS256 and EdDSA: HS256 signs with the secret key")
        return self
