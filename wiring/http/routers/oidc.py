"""Logging in with a browser at an OpenID Connect issuer."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from bedplate.services.auth.errors import InvalidTokenError
from bedplate.wiring import Auth, Sessions, Settings, inject
from bedplate.wiring.http.cookies import set_session_cookie, set_token_cookies
from bedplate.wiring.http.security import client_of

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/auth/oidc", tags=["Login"])

_COOKIE = "bedplate_oidc_login"
_PATH = "/api/v1/auth/oidc"


@router.get("/login", status_code=303, response_class=RedirectResponse)
@inject
async def begin_login(request: Request, auth: Auth, settings: Settings) -> RedirectResponse:
    """Send the browser to the issuer."""
    started = await auth.oidc.begin_login(str(request.url_for("finish_login")))
    answer = RedirectResponse(started.url, status_code=303)
    answer.set_cookie(
        _COOKIE,
        started.cookie,
        max_age=started.max_age,
        path=_PATH,
        secure=settings.values.auth.cookie_secure,
        httponly=True,
        samesite="lax",  # it must come along when the issuer sends the browser back
    )
    return answer


@router.get("/callback", status_code=303, response_class=RedirectResponse)
@inject
async def finish_login(
    request: Request,
    auth: Auth,
    session: Sessions,
    settings: Settings,
    code: str = "",
    state: str = "",
    error: str | None = None,
) -> RedirectResponse:
    """Log in whom the issuer sends back."""
    if error is not None or not code:
        raise InvalidTokenError("The login at the issuer did not succeed", why=f"{error or 'no code'!r:.100}")
    cookie = request.cookies.get(_COOKIE, "")
    tokens, session_cookie = await auth.oidc.finish_login(code, state, cookie, client=client_of(request))
    await session.projects.default(tokens.user.id)
    answer = RedirectResponse(settings.values.auth.oidc.after_login, status_code=303)
    set_token_cookies(answer, tokens, settings.values)
    set_session_cookie(answer, session_cookie)
    answer.delete_cookie(_COOKIE, path=_PATH, secure=settings.values.auth.cookie_secure, httponly=True, samesite="lax")
    return answer
