"""Who may see the dashboard: superusers with a session cookie, from pages of this server."""

from msgspec import structs
from starlette.requests import Request

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import COOKIE_NAME, Credentials, Principal, Resource, Scope
from bedplate.services.errors import PermissionDeniedError
from bedplate.wiring.http.security import client_of

__all__ = ["cookie_of", "refuse_foreign", "superuser"]

_SAFE = ("GET", "HEAD")


def cookie_of(request: Request) -> str | None:
    """The value of the session cookie; None without one."""
    return request.cookies.get(COOKIE_NAME) or None


def refuse_foreign(request: Request, container: ApplicationContainer) -> None:
    """Refuse what a page of another origin asks a browser to send with the cookie.

    Raises:
        OriginNotAllowedError: It comes from elsewhere, or does not say where from, and changes something.
    """
    if request.method not in _SAFE:
        container.auth().check_origin(request.headers.get("origin"), request.headers.get("host"))


async def superuser(request: Request, container: ApplicationContainer) -> Principal:
    """Whoever the session cookie belongs to; a token or an API key is not looked at.

    Raises:
        AuthenticationError: There is no cookie, or it is not good.
        PermissionDeniedError: It is that of an ordinary user, the application's policy does not allow it, or the
            request comes from a page of another origin.
    """
    auth = container.auth()
    principal = structs.replace(await auth.verify(Credentials(cookie=cookie_of(request))), client=client_of(request))
    refuse_foreign(request, container)
    if not principal.is_superuser:
        raise PermissionDeniedError("The dashboard is for superusers", service="auth")
    resource = Resource(kind=f"{request.method} {request.url.path}", ids={})
    scope = Scope.SYSTEM_READ if request.method in _SAFE else Scope.SYSTEM_ADMIN
    await auth.authorize(principal, scope, resource)
    return principal
