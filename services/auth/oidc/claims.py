"""What the claims of a token mean here: who is let in, with which rights, under which name."""

from collections.abc import Mapping
from typing import Any

from bedplate.services.auth.errors import IdentityNotAllowedError
from bedplate.services.settings.groups.oidc import OidcSettings

__all__ = ["check_claims", "grants_superuser", "suggested_name"]


def check_claims(settings: OidcSettings, claims: Mapping[str, Any]) -> None:
    """Raise unless somebody with these claims is let in.

    Raises:
        IdentityNotAllowedError: A required claim is missing, or the e-mail address is not verified or of elsewhere.
    """
    for name, wanted in settings.required_claims.items():
        if not _has(claims, name, wanted):
            raise IdentityNotAllowedError(why=f"the claim {name!r} is not what it has to be")
    if not settings.allowed_domains:
        return
    address = claims.get("email")
    domain = address.rpartition("@")[2].casefold() if isinstance(address, str) and "@" in address else None
    if claims.get("email_verified") is not True or domain not in {
        allowed.casefold() for allowed in settings.allowed_domains
    }:
        raise IdentityNotAllowedError(why="no verified e-mail address of an allowed domain")


def grants_superuser(settings: OidcSettings, claims: Mapping[str, Any]) -> bool | None:
    """Whether the claims make a superuser; None where claims say nothing about that."""
    if not settings.superuser_claims:
        return None
    return all(_has(claims, name, wanted) for name, wanted in settings.superuser_claims.items())


def suggested_name(settings: OidcSettings, claims: Mapping[str, Any]) -> str:
    """What somebody would like to be called."""
    name = _get(claims, settings.username_claim)
    return name.strip() if isinstance(name, str) and name.strip() else str(claims["sub"])


def _has(claims: Mapping[str, Any], name: str, wanted: str) -> bool:
    """Whether a claim is this value, or a list or words separated by spaces with it."""
    value = _get(claims, name)
    if isinstance(value, str):
        return value == wanted or wanted in value.split(" ")
    if isinstance(value, list):
        return wanted in value
    return isinstance(value, bool) and str(value).lower() == wanted.lower()


def _get(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or inside an object by names with dots between."""
    if name in claims:  # some issuers have URLs for names
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
