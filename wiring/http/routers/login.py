"""Login, refresh, logout."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from bedplate.services.auth import TokenPair, check_origin
from bedplate.services.auth.errors import InvalidTokenError
from bedplate.services.settings import SettingsService
from bedplate.wiring import Auth, Sessions, Settings, inject
from bedplate.wiring.http.cookies import ACCESS_COOKIE, REFRESH_COOKIE, clear_token_cookies, set_token_cookies
from bedplate.wiring.http.schemas.users import PasswordForm, Token
from bedplate.wiring.http.security import client_of, credentials_of

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["Login"])


def _token(tokens: TokenPair) -> Token:
    return Token(access_token=tokens.access_token, refresh_token=tokens.refresh_token, token_type="bearer")  # noqa: S106 - the scheme


def _refuse_foreign_pages(request: Request, settings: SettingsService) -> None:
    """Refuse what a page of another origin asks a browser to send with the cookies, which are ``SameSite=None``.

    Raises:
        OriginNotAllowedError: The request says that it comes from elsewhere; plain clients say nothing.
    """
    origin = request.headers.get("origin")
    if origin is not None:
        check_origin(origin, request.headers.get("host"), settings.values.server.cors_origins)


@router.post("/login")
@inject
async def login(
    request: Request,
    response: Response,
    auth: Auth,
    session: Sessions,
    settings: Settings,
    form: Annotated[PasswordForm, Form()],
) -> Token:
    """Exchange user name and password for a pair of tokens (OAuth 2 password form, RFC 6749 section 4.3)."""
    tokens = await auth.login(form.username, form.password, client=client_of(request))
    await session.projects.default(tokens.user.id)
    set_token_cookies(response, tokens, settings.values)
    return _token(tokens)


@router.get("/auto_login")
@inject
async def auto_login(request: Request, response: Response, auth: Auth, settings: Settings) -> Token:
    """Tokens of the superuser for callers on this machine, where a setting allows it."""
    tokens = await auth.auto_login(client_of(request))
    set_token_cookies(response, tokens, settings.values)
    return _token(tokens)


@router.post("/refresh")
@inject
async def refresh(request: Request, response: Response, auth: Auth, settings: Settings) -> Token:
    """Exchange the refresh token of the cookie for a new pair; it is good for this once."""
    _refuse_foreign_pages(request, settings)
    refresh_token = request.cookies.get(REFRESH_COOKIE)
    if not refresh_token:
        raise InvalidTokenError("Invalid refresh token")
    tokens = await auth.refresh(refresh_token, client=client_of(request))
    set_token_cookies(response, tokens, settings.values)
    return _token(tokens)


@router.post("/logout")
@inject
async def logout(request: Request, response: Response, auth: Auth, settings: Settings) -> dict[str, str]:
    """End the session of the tokens that came with the request, and delete the cookies."""
    _refuse_foreign_pages(request, settings)
    sent = (credentials_of(request).bearer, request.cookies.get(REFRESH_COOKIE), request.cookies.get(ACCESS_COOKIE))
    await auth.logout(*(token for token in sent if token), client=client_of(request))
    clear_token_cookies(response, settings.values)
    return {"message": "Logout successful"}
