"""Settings of identities from elsewhere."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from bedplate.services.settings.groups.base import Seconds, SettingsGroup

__all__ = ["OidcSettings"]

_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


class OidcSettings(SettingsGroup):
    """Users of an OpenID Connect issuer (``BEDPLATE_AUTH__OIDC__*``)."""

    issuer: str | None = None
    """URL of the issuer, exactly as its tokens have it in ``iss``; unset: nobody from elsewhere."""
    audience: str | None = None
    """``aud`` of bearer tokens that are meant for us; unset: the client id."""
    client_id: str | None = None
    """Our name at the issuer; needed for logging in with a browser."""
    client_secret: SecretStr | None = None
    """Our secret at the issuer; unset: a public client, with PKCE alone."""
    redirect_uri: str | None = None
    """Our callback as registered at the issuer; unset: that of the host that was asked."""
    after_login: str = "/"
    """Path that a browser is sent to when it has logged in."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """Scopes that are asked for when a browser logs in."""
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"], ...] = (
        "RS256",
        "ES256",
        "EdDSA",
    )
    """Algorithms that tokens of the issuer may be signed with."""
    username_claim: str = "preferred_username"
    """Claim that a new user is named after; ``sub`` where it is missing."""
    new_users: Literal["active", "waiting", "refused"] = "active"
    """What becomes of somebody seen for the first time: a user, one who waits for activation, or nobody."""
    allowed_domains: tuple[str, ...] = ()
    """Domains of verified e-mail addresses that are let in; none: all."""
    required_claims: dict[str, str] = Field(default_factory=dict)
    """Claims that somebody must have to be let in, such as ``{"groups": "staff"}``; dots lead into objects."""
    superuser_claims: dict[str, str] = Field(default_factory=dict)
    """Claims that make superusers, as long as they are there; none: rights are given here alone."""
    keys_ttl: Seconds = 3600.0
    """Seconds after which the issuer's keys are fetched again."""
    keys_interval: float = Field(default=10.0, ge=0)
    """Seconds between two fetches because of tokens with a key that is not known, which anybody can send."""
    timeout: float = Field(default=5.0, gt=0)
    """Seconds that the issuer may take to answer."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.issuer is None:
            return self
        if not self.issuer.startswith(("https://", *_LOOPBACK)):
            raise ValueError("issuer must be an https URL: whoever is between could be anybody")
        if self.audience is None and self.client_id is None:
            raise ValueError("audience or client_id must be set: tokens that are meant for others are not for us")
        if not self.after_login.startswith("/") or self.after_login.startswith(("//", "/\\")):
            raise ValueError("after_login must be a path of this server")
        return self
