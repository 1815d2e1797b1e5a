"""The OpenAPI document: adds what FastAPI cannot see, the security of each route and the shape of errors."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from bedplate.wiring.http.scopes import scope_of
from bedplate.wiring.http.security import current_principal, current_user_by_key, require_operator

__all__ = ["install_openapi"]

_SCHEMES: dict[str, Any] = {
    "OAuth2PasswordBearer": {
        "type": "oauth2",
        "flows": {"password": {"tokenUrl": "/api/v1/login", "scopes": {}}},
    },
    "API key query": {"type": "apiKey", "in": "query", "name": "x-api-key"},
    "API key header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_BY_KEY: list[dict[str, list[str]]] = [{"API key query": []}, {"API key header": []}]
_BY_TOKEN_OR_KEY: list[dict[str, list[str]]] = [{"OAuth2PasswordBearer": []}, *_BY_KEY]
_PROBLEM = {
    "type": "object",
    "required": ["detail", "type", "title", "status", "instance"],
    "properties": {
        "detail": {},
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "instance": {"type": "string"},
    },
}


def install_openapi(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Let ``app.openapi()`` describe security and errors; the document is made once, on first use.

    Args:
        app: The application.
        routers: What it includes, each without a prefix; how it keeps them is FastAPI's own.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, routers)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents


def _document(app: FastAPI, routers: Sequence[APIRouter]) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    for route in (route for router in routers for route in router.routes):
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        operations = document["paths"][route.path_format]
        for method in route.methods or ():
            operation = operations[method.lower()]
            if security := _security(route.dependant):
                operation["security"] = security
                operation["x-required-scope"] = scope_of(route, method)
            operation["responses"]["default"] = {
                "description": "An error",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
    return document


def _security(dependant: Dependant) -> list[dict[str, list[str]]] | None:
    calls = set(_calls(dependant))
    if current_user_by_key in calls:
        return _BY_KEY
    if calls & {current_principal, require_operator}:
        return _BY_TOKEN_OR_KEY
    return None


def _calls(dependant: Dependant) -> Iterator[Any]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _calls(dependency)
