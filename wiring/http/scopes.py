"""Which scope each route asks for: one declaration, checked by one dependency."""

from collections.abc import Mapping, Sequence

from fastapi.routing import APIRoute

from bedplate.services.auth import Scope

__all__ = ["scope_of"]

_AREAS: Mapping[str, str] = {
    "APIKey": "account",
    "Base": "flows",
    "Chat": "flows",
    "Components": "flows",
    "Components Store": "store",
    "Files": "files",
    "Flows": "flows",
    "Login": "account",
    "Monitor": "messages",
    "Projects": "flows",
    "Store": "store",
    "System": "system",
    "Tasks": "tasks",
    "Traces": "messages",
    "Users": "account",
    "Variables": "variables",
}
"""The area of each tag."""

_ACTIONS: Mapping[str, str] = {"GET": "read", "HEAD": "read"}
"""What a method does; any other one writes."""

_RUNS = ("Base", "Chat")
"""Tags of routes that run flows or follow a run, whatever their method."""

_OTHERS: Mapping[str, Scope] = {
    "POST /api/v1/flows/download/": Scope.FLOWS_READ,
    "POST /api/v2/files/batch/": Scope.FILES_READ,
    # A key for the variables of flows is not meant for reading what is in them.
    "POST /api/v1/variables/{variable_id}/reveal": Scope.ACCOUNT_ADMIN,
    "GET /api/v1/users/": Scope.SYSTEM_ADMIN,
    "DELETE /api/v1/users/{user_id}": Scope.SYSTEM_ADMIN,
}
"""Routes whose scope tag and method do not tell."""


def scope_of(route: APIRoute, method: str) -> Scope | None:
    """The scope that an API key needs for a route.

    Returns:
        The scope; None for a route of no declared area, which only keys without limits may call.
    """
    if scope := _OTHERS.get(f"{method} {route.path_format}"):
        return scope
    areas = [_AREAS[tag] for tag in _names(route.tags) if tag in _AREAS]
    if not areas:
        return None
    action = _ACTIONS.get(method, "write")
    if set(_names(route.tags)) & set(_RUNS):
        action = "run"
    if action == "write" and areas[0] in ("account", "system"):
        action = "admin"  # whoever may change an account can get at all of it
    return Scope(f"{areas[0]}:{action}")


def _names(tags: Sequence[object]) -> list[str]:
    return [str(tag) for tag in tags]
