"""Signing in and out."""

from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedplate.containers import ApplicationContainer
from bedplate.services.errors import BedplateError
from bedplate.wiring.http.cookies import set_session_cookie
from bedplate.wiring.http.dashboard.gate import cookie_of, refuse_foreign
from bedplate.wiring.http.dashboard.rendering import base_of, page
from bedplate.wiring.http.errors import status_of
from bedplate.wiring.http.security import client_of

__all__ = ["enter", "leave", "show"]

_MAX_FIELDS = 4


async def show(container: ApplicationContainer, request: Request) -> Response:
    """The form."""
    return _form_page(container, request, username="", next=_destination(request.query_params.get("next")))


async def enter(container: ApplicationContainer, request: Request) -> Response:
    """Take name and password, and go on to the page that was asked for."""
    refuse_foreign(request, container)
    fields = await _form(request)
    username, wanted = fields.get("username", ""), _destination(fields.get("next"))
    auth = container.auth()
    try:
        cookie = await auth.open_cookie_session(username, fields.get("password", ""), client=client_of(request))
    except BedplateError as error:
        status = status_of(error)
        if status >= 500:
            raise
        return _form_page(container, request, status=status, username=username, next=wanted, error=error.what)
    answer = RedirectResponse(f"{base_of(request)}{wanted}", status_code=303)
    set_session_cookie(answer, cookie)
    return answer


async def leave(container: ApplicationContainer, request: Request) -> Response:
    """End the session of the cookie."""
    refuse_foreign(request, container)
    auth = container.auth()
    if cookie := cookie_of(request):
        await auth.logout(cookie, client=client_of(request))
    answer = RedirectResponse(f"{base_of(request)}/dashboard/sign-in", status_code=303)
    set_session_cookie(answer, auth.expired_cookie())
    return answer


def _form_page(
    container: ApplicationContainer, request: Request, *, error: str | None = None, **values: Any
) -> Response:
    oidc = container.settings().values.auth.oidc
    by_issuer = oidc.issuer is not None and oidc.client_id is not None
    return page(request, "sign_in.html", error=error, by_issuer=by_issuer, **values)


def _destination(asked: str | None) -> str:
    """A page of the dashboard: whatever else is asked for could be anybody's."""
    if asked and asked.startswith("/dashboard/") and "\\" not in asked and asked.isprintable():
        return asked
    return "/"


async def _form(request: Request) -> dict[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return {name: values[-1] for name, values in parse_qs(body, max_num_fields=_MAX_FIELDS).items()}
    except ValueError:
        return {}
