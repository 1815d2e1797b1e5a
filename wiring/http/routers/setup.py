"""The page that makes the first superuser, behind a one-time link."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from bedplate.services.auth.errors import InvalidSetupTokenError, SetupCompletedError
from bedplate.services.errors import BedplateError, InvalidInputError
from bedplate.wiring import Auth, inject
from bedplate.wiring.http.cookies import set_session_cookie
from bedplate.wiring.http.errors import status_of
from bedplate.wiring.http.pages import page
from bedplate.wiring.http.security import client_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_CLOSED = (InvalidSetupTokenError, SetupCompletedError)


@router.get("/setup")
@inject
async def show_setup(auth: Auth, token: str = "") -> HTMLResponse:
    """The form, for whoever has the link."""
    try:
        await auth.check_setup_token(token)
    except _CLOSED:
        return page("setup_closed.html", status=404)
    return page("setup.html", token=token, username="", error=None)


@router.post("/setup")
@inject
async def complete_setup(
    request: Request,
    auth: Auth,
    token: Annotated[str, Form()] = "",
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    repeated: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Make the superuser and sign it in."""
    try:
        if password != repeated:
            raise InvalidInputError("The two passwords differ")
        user = await auth.complete_setup(token, username, password, client=client_of(request))
    except _CLOSED:
        return page("setup_closed.html", status=404)
    except BedplateError as error:
        status = status_of(error)
        if status >= 500:
            raise
        return page("setup.html", status=400, token=token, username=username, error=error.what)
    answer = page("setup_done.html", username=user.username, base_url=str(request.base_url))
    set_session_cookie(answer, await auth.open_cookie_session(username, password, client=client_of(request)))
    return answer
