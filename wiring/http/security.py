"""Who is calling: the one place where a request becomes a user."""

import secrets
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from msgspec import structs
from starlette.requests import HTTPConnection

from bedplate.services.auth import PROXY_HEADERS, AuthService, Client, Credentials, Principal, Resource, User
from bedplate.services.auth.origins import is_loopback
from bedplate.services.errors import PermissionDeniedError
from bedplate.wiring import Auth, Settings, inject
from bedplate.wiring.http.scopes import scope_of

__all__ = [
    "CurrentPrincipal",
    "CurrentSuperuser",
    "CurrentUser",
    "CurrentUserByKey",
    "OptionalUser",
    "client_of",
    "credentials_of",
    "current_principal",
    "current_superuser",
    "current_user",
    "current_user_by_key",
    "optional_user",
    "require_operator",
]


_ORDINARY = "The user doesn't have enough privileges"


def credentials_of(connection: HTTPConnection) -> Credentials:
    """The bearer token and the API key of a request; Bedplate's own session cookie is never one of them."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return Credentials(
        bearer=token.strip() if scheme.lower() == "bearer" and token.strip() else None,
        api_key=connection.headers.get("x-api-key") or connection.query_params.get("x-api-key") or None,
    )


def client_of(connection: HTTPConnection) -> Client:
    """Where a request comes from."""
    headers = connection.headers
    return Client(
        address=connection.client.host if connection.client else None,
        user_agent=headers.get("user-agent"),
        host=headers.get("host"),
        proxied=any(name in headers for name in PROXY_HEADERS),
    )


async def _authorized(auth: AuthService, request: Request, credentials: Credentials) -> Principal:
    """Whoever is calling, who must be allowed to call this route: every authenticated request passes here."""
    principal = structs.replace(await auth.verify(credentials), client=client_of(request))
    route: APIRoute = request.scope["route"]
    kind = f"{request.method} {route.path_format}"
    resource = Resource(kind=kind, ids={name: str(value) for name, value in request.path_params.items()})
    await auth.authorize(principal, scope_of(route, request.method), resource)
    return principal


@inject
async def current_principal(request: Request, auth: Auth) -> Principal:
    """Whoever the bearer token or the API key of the request proves the caller to be.

    Raises:
        AuthenticationError: There are no credentials, or they are not good.
        PermissionDeniedError: The scopes of the key, or the policy of the application, do not allow it.
    """
    return await _authorized(auth, request, credentials_of(request))


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


async def current_user(principal: CurrentPrincipal) -> User:
    """The user of a bearer token or an API key."""
    return principal.user


CurrentUser = Annotated[User, Depends(current_user)]


@inject
async def current_user_by_key(request: Request, auth: Auth) -> User:
    """The user of an API key; a bearer token is not looked at."""
    return (await _authorized(auth, request, Credentials(api_key=credentials_of(request).api_key))).user


CurrentUserByKey = Annotated[User, Depends(current_user_by_key)]


@inject
async def optional_user(request: Request, auth: Auth) -> User | None:
    """The user of a bearer token or an API key; None where neither is sent.

    Raises:
        AuthenticationError: The credentials are not good.
    """
    credentials = credentials_of(request)
    if credentials.bearer is None and credentials.api_key is None:
        return None
    return (await _authorized(auth, request, credentials)).user


OptionalUser = Annotated[User | None, Depends(optional_user)]


def require_superuser(principal: Principal) -> Principal:
    """The same principal, who must be a superuser.

    Raises:
        PermissionDeniedError: The user is an ordinary one.
    """
    if not principal.is_superuser:
        raise PermissionDeniedError(_ORDINARY, service="auth")
    return principal


async def current_superuser(principal: CurrentPrincipal) -> Principal:
    """The caller, who must be a superuser."""
    return require_superuser(principal)


CurrentSuperuser = Annotated[Principal, Depends(current_superuser)]


@inject
async def require_operator(request: Request, auth: Auth, settings: Settings) -> None:
    """Let operators in: a superuser, whoever has the scrape token, or this machine where a setting allows it.

    Raises:
        AuthenticationError: There are no credentials, or they are not good.
        PermissionDeniedError: The user is an ordinary one.
    """
    values = settings.values
    if values.server.services_report_loopback and is_loopback(client_of(request)):
        return
    credentials = credentials_of(request)
    token = values.telemetry.scrape_token
    if (
        token is not None
        and credentials.bearer is not None
        and secrets.compare_digest(token.get_secret_value().encode(), credentials.bearer.encode())
    ):
        return
    principal = await _authorized(auth, request, credentials)
    if not principal.user.is_superuser:  # the scope of the key has been checked
        raise PermissionDeniedError(_ORDINARY, service="auth")
