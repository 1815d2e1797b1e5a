"""Cookies: the two of the REST contract, and Bedplate's own."""

from fastapi import Response

from bedplate.services.auth import SessionCookie, TokenPair
from bedplate.services.settings.models import Settings

__all__ = ["ACCESS_COOKIE", "REFRESH_COOKIE", "clear_token_cookies", "set_session_cookie", "set_token_cookies"]

ACCESS_COOKIE = "access_token_lf"
REFRESH_COOKIE = "refresh_token_lf"
_STORE_COOKIE = "apikey_tkn_lflw"


def set_token_cookies(response: Response, tokens: TokenPair, settings: Settings) -> None:
    """Set the cookies that browsers of existing clients refresh with; no route of the contract reads another one."""
    auth = settings.auth
    response.set_cookie(
        REFRESH_COOKIE,
        tokens.refresh_token,
        max_age=int(tokens.refresh_ttl),
        secure=True,  # SameSite=None is refused by browsers without it
        httponly=True,
        samesite="none",
        domain=auth.cookie_domain,
    )
    response.set_cookie(
        ACCESS_COOKIE,
        tokens.access_token,
        max_age=int(tokens.access_ttl),
        secure=auth.cookie_secure,
        httponly=False,
        samesite="lax",
        domain=auth.cookie_domain,
    )


def clear_token_cookies(response: Response, settings: Settings) -> None:
    """Delete the cookies of the contract, with the attributes that they were set with."""
    domain = settings.auth.cookie_domain
    response.delete_cookie(REFRESH_COOKIE, secure=True, httponly=True, samesite="none", domain=domain)
    response.delete_cookie(ACCESS_COOKIE, secure=settings.auth.cookie_secure, samesite="lax", domain=domain)
    response.delete_cookie(_STORE_COOKIE, domain=domain)


def set_session_cookie(response: Response, cookie: SessionCookie) -> None:
    """Set Bedplate's own session cookie as the auth service asks for it."""
    response.set_cookie(
        cookie.name,
        cookie.value.get_secret_value(),
        max_age=cookie.max_age,
        path=cookie.path,
        domain=cookie.domain,
        secure=cookie.secure,
        httponly=cookie.http_only,
        samesite="lax",
    )
