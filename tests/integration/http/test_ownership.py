"""Who may call what, and what is whose: every route of the application, from one table."""

import copy
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from tests.integration.http.conftest import Upload

from bedplate.services.auth import Scope, User
from bedplate.services.auth.scopes import covers
from bedplate.wiring.http.scopes import scope_of
from bedplate.wiring.testing.clients import PASSWORD, Clients
from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.signals import Gate

NO_CREDENTIALS = "An API key must be passed as query or header"
SECRET = "secret-of-a"
"""Stands in everything that user A writes."""


class Access(StrEnum):
    """Who may call an operation."""

    ANYONE = "anyone"
    USER = "any user, by token or key"
    BY_KEY = "any user, by key alone"
    SUPERUSER = "superusers"
    OPERATOR = "superusers, and whoever has the scrape token"


class Kind(StrEnum):
    """What an id is the id of."""

    COMPONENT = "component"
    ENDPOINT = "endpoint"
    FILE = "file"
    FLOW = "flow"
    JOB = "job"
    KEY = "key"
    LOGIN = "login"
    MESSAGE = "message"
    PROJECT = "project"
    SESSION = "session"
    TASK = "task"
    TRACE = "trace"
    USER = "user"
    VARIABLE = "variable"


Ids = Mapping[Kind, str]


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    ``ids`` says what each id in it is an id of, by its place: ``path:…``, ``query:…``, or ``body:…`` with dots and
    ``[]`` for what is further inside. A text in ``body`` such as ``"{flow}"`` stands for an id of the caller's own.
    """

    access: Access
    ids: Mapping[str, Kind | tuple[Kind, ...]] = field(default_factory=dict)
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    anonymous: int = 403
    """Status of a call with neither credentials nor a body."""


def _anyone(status: int) -> Operation:
    return Operation(Access.ANYONE, anonymous=status)


def _user(ids: Mapping[str, Kind | tuple[Kind, ...]] | None = None, body: Any = None, **query: str) -> Operation:
    return Operation(Access.USER, ids or {}, body, query)


_BY_FLOW = {"query:flow_id": Kind.FLOW}
_BY_COMPONENT = {"path:component_id": Kind.COMPONENT}
_LIKES = ("POST", "PUT", "DELETE")
_NEW = {"name": "made-{number}"}
_PUBLISHED = _NEW | {
    "description": "d",
    "data": {"nodes": [], "edges": []},
    "tags": ["Memory"],
    "is_component": False,
}

OPERATIONS: Mapping[str, Operation] = {
    # The dashboard; what is below it is in test_dashboard.py.
    "GET /": _anyone(303),
    "GET /livez": _anyone(200),
    "GET /readyz": _anyone(200),
    "GET /health": _anyone(200),
    "GET /health_check": _anyone(200),
    "GET /openapi.json": _anyone(200),
    "GET /logs": _anyone(501),
    "GET /logs-stream": _anyone(501),
    "GET /metrics": Operation(Access.OPERATOR),
    "GET /api/v1/services": Operation(Access.OPERATOR),
    "GET /api/v1/version": _anyone(200),
    "GET /api/v1/config": _anyone(200),
    "GET /.well-known/jwks.json": _anyone(200),
    "GET /setup": _anyone(404),
    "POST /setup": _anyone(404),
    "POST /api/v1/login": _anyone(422),
    "GET /api/v1/auto_login": _anyone(403),
    "POST /api/v1/refresh": _anyone(401),
    "POST /api/v1/logout": _anyone(200),
    "POST /api/v1/users/": _anyone(422),
    "GET /api/v1/users/": Operation(Access.SUPERUSER),
    "GET /api/v1/users/whoami": _user(),
    "PATCH /api/v1/users/{user_id}": _user({"path:user_id": Kind.USER}, {"optins": {"x": True}}),
    "PATCH /api/v1/users/{user_id}/reset-password": _user({"path:user_id": Kind.USER}, {"password": "another one"}),
    "DELETE /api/v1/users/{user_id}": Operation(Access.SUPERUSER, {"path:user_id": Kind.USER}),
    "GET /api/v1/api_key/": _user(),
    "POST /api/v1/api_key/": _user({"body:user_id": Kind.USER}, _NEW),
    "POST /api/v1/api_key/store": _user(body={"api_key": "another-key"}),
    "DELETE /api/v1/api_key/store": _user(),
    "DELETE /api/v1/api_key/{api_key_id}": _user({"path:api_key_id": Kind.KEY}),
    "GET /api/v1/auth/oidc/login": _anyone(404),
    "GET /api/v1/auth/oidc/callback": _anyone(401),
    "GET /api/v1/auth/audit": Operation(Access.SUPERUSER, {"query:user_id": Kind.USER, "query:actor_id": Kind.USER}),
    "GET /api/v1/auth/sessions": _user({"query:user_id": Kind.USER}),
    "DELETE /api/v1/auth/sessions": _user({"query:user_id": Kind.USER}),
    "DELETE /api/v1/auth/sessions/{auth_session_id}": _user(
        {"path:auth_session_id": Kind.LOGIN, "query:user_id": Kind.USER}
    ),
    "GET /api/v1/variables/": _user(),
    "POST /api/v1/variables/": _user(body=_NEW | {"value": "v", "default_fields": []}),
    "PATCH /api/v1/variables/{variable_id}": _user(
        {"path:variable_id": Kind.VARIABLE, "body:id": Kind.VARIABLE}, {"id": "{variable}", "value": "changed"}
    ),
    "DELETE /api/v1/variables/{variable_id}": _user({"path:variable_id": Kind.VARIABLE}),
    "GET /api/v1/variables/{variable_id}/versions": _user({"path:variable_id": Kind.VARIABLE}),
    "POST /api/v1/variables/{variable_id}/versions/{version}/restore": _user({"path:variable_id": Kind.VARIABLE}),
    "POST /api/v1/variables/{variable_id}/reveal": _user({"path:variable_id": Kind.VARIABLE}),
    "GET /api/v1/projects/": _user(),
    "POST /api/v1/projects/": _user({"body:flows_list[]": Kind.FLOW, "body:components_list[]": Kind.FLOW}, _NEW),
    "GET /api/v1/projects/{project_id}": _user({"path:project_id": Kind.PROJECT}),
    "PATCH /api/v1/projects/{project_id}": _user(
        {
            "path:project_id": Kind.PROJECT,
            "body:parent_id": Kind.PROJECT,
            "body:flows[]": Kind.FLOW,
            "body:components[]": Kind.FLOW,
        },
        {"description": "changed"},
    ),
    "DELETE /api/v1/projects/{project_id}": _user({"path:project_id": Kind.PROJECT}),
    # The five of the older name send everybody to /projects, where credentials are checked.
    "GET /api/v1/folders/": _anyone(307),
    "POST /api/v1/folders/": _anyone(307),
    "GET /api/v1/folders/{folder_id}": _anyone(307),
    "PATCH /api/v1/folders/{folder_id}": _anyone(307),
    "DELETE /api/v1/folders/{folder_id}": _anyone(307),
    "GET /api/v1/flows/": _user({"query:folder_id": Kind.PROJECT}),
    "POST /api/v1/flows/": _user({"body:folder_id": Kind.PROJECT, "body:user_id": Kind.USER}, _NEW),
    "DELETE /api/v1/flows/": _user({"body:[]": Kind.FLOW}, []),
    "GET /api/v1/flows/public_flow/{flow_id}": Operation(Access.ANYONE, {"path:flow_id": Kind.FLOW}, anonymous=404),
    "GET /api/v1/flows/{flow_id}": _user({"path:flow_id": Kind.FLOW}),
    "PATCH /api/v1/flows/{flow_id}": _user(
        {"path:flow_id": Kind.FLOW, "body:folder_id": Kind.PROJECT}, {"description": "changed"}
    ),
    "DELETE /api/v1/flows/{flow_id}": _user({"path:flow_id": Kind.FLOW}),
    "GET /api/v1/all": _user(),
    "GET /api/v1/components": Operation(Access.SUPERUSER),
    "POST /api/v1/components/reload": Operation(Access.SUPERUSER),
    "POST /api/v1/build/{flow_id}/flow": _user({"path:flow_id": Kind.FLOW, "body:inputs.session": Kind.SESSION}, {}),
    "GET /api/v1/build/{job_id}/events": _user({"path:job_id": Kind.JOB}),
    "POST /api/v1/build/{job_id}/cancel": _user({"path:job_id": Kind.JOB}),
    "POST /api/v1/run/{flow_id_or_name}": Operation(
        Access.BY_KEY,
        {
            "path:flow_id_or_name": (Kind.FLOW, Kind.ENDPOINT),
            "query:user_id": Kind.USER,
            "body:session_id": Kind.SESSION,
        },
        {"input_value": "Hello"},
    ),
    "POST /api/v1/webhook/{flow_id_or_name}": Operation(
        Access.ANYONE,
        {"path:flow_id_or_name": (Kind.FLOW, Kind.ENDPOINT), "query:user_id": Kind.USER},
        {"hello": "world"},
        anonymous=404,
    ),
    "GET /api/v1/monitor/messages": _user(_BY_FLOW | {"query:session_id": Kind.SESSION}),
    "DELETE /api/v1/monitor/messages": _user({"body:[]": Kind.MESSAGE}, []),
    "PUT /api/v1/monitor/messages/{message_id}": _user(
        {"path:message_id": Kind.MESSAGE, "body:session_id": Kind.SESSION}, {"text": "changed"}
    ),
    "GET /api/v1/monitor/messages/sessions": _user(_BY_FLOW),
    "GET /api/v1/monitor/messages/search": _user(_BY_FLOW | {"query:session_id": Kind.SESSION}, q="hello"),
    "GET /api/v1/monitor/messages/export": _user({"query:session_id": Kind.SESSION}),
    "POST /api/v1/monitor/messages/{message_id}/fork": _user(
        {"path:message_id": Kind.MESSAGE, "body:session_id": Kind.SESSION}, {}
    ),
    "PATCH /api/v1/monitor/messages/session/{old_session_id}": _user(
        {"path:old_session_id": Kind.SESSION, "query:new_session_id": Kind.SESSION}, new_session_id="another"
    ),
    "DELETE /api/v1/monitor/messages/session/{session_id}": _user({"path:session_id": Kind.SESSION}),
    "GET /api/v1/monitor/sessions": _user(_BY_FLOW),
    "PATCH /api/v1/monitor/sessions/{flow_id}": _user(
        {"path:flow_id": Kind.FLOW, "body:session_id": Kind.SESSION}, {"session_id": "{session}", "name": "called"}
    ),
    "GET /api/v1/monitor/builds": _user(_BY_FLOW),
    "DELETE /api/v1/monitor/builds": _user(_BY_FLOW),
    "GET /api/v1/monitor/transactions": _user(_BY_FLOW),
    "GET /api/v1/monitor/traces": _user(_BY_FLOW | {"query:session_id": Kind.SESSION}),
    "GET /api/v1/monitor/traces/{trace_id}": _user({"path:trace_id": Kind.TRACE}),
    "GET /api/v1/tasks": _user(),
    "POST /api/v1/tasks": _user({"body:flow_id": Kind.FLOW, "body:session_id": Kind.SESSION}, {"flow_id": "{flow}"}),
    "GET /api/v1/tasks/{task_id}": _user({"path:task_id": Kind.TASK}),
    "POST /api/v1/tasks/{task_id}/cancel": _user({"path:task_id": Kind.TASK}),
    "POST /api/v1/tasks/{task_id}/requeue": _user({"path:task_id": Kind.TASK}),
    "DELETE /api/v1/tasks/{task_id}": _user({"path:task_id": Kind.TASK}),
    "POST /api/v1/flows/batch/": _user(
        {"body:flows[].folder_id": Kind.PROJECT, "body:flows[].user_id": Kind.USER}, {"flows": [_NEW]}
    ),
    "POST /api/v1/flows/upload/": _user({"query:folder_id": Kind.PROJECT}),
    "POST /api/v1/flows/download/": _user({"body:[]": Kind.FLOW}, []),
    "GET /api/v1/projects/download/{project_id}": _user({"path:project_id": Kind.PROJECT}),
    "POST /api/v1/projects/upload/": _user(),
    "GET /api/v1/folders/download/{folder_id}": _anyone(307),
    "POST /api/v1/folders/upload/": _anyone(307),
    "POST /api/v1/files/upload/{flow_id}": _user({"path:flow_id": Kind.FLOW}),
    "GET /api/v1/files/download/{flow_id}/{file_name}": _user({"path:flow_id": Kind.FLOW}),
    "GET /api/v1/files/images/{flow_id}/{file_name}": _user({"path:flow_id": Kind.FLOW}),
    "POST /api/v1/files/link/{flow_id}/{file_name}": _user({"path:flow_id": Kind.FLOW}, {}),
    "GET /api/v1/files/signed": _anyone(422),
    "PUT /api/v1/files/signed": _anyone(422),
    "GET /api/v1/files/list/{flow_id}": _user({"path:flow_id": Kind.FLOW}),
    "DELETE /api/v1/files/delete/{flow_id}/{file_name}": _user({"path:flow_id": Kind.FLOW}),
    "GET /api/v1/store/check/": _anyone(200),
    "GET /api/v1/store/check/api_key": _user(),
    "GET /api/v1/store/tags": _anyone(200),
    "GET /api/v1/store/components/": _user({"query:component_id": Kind.COMPONENT}),
    "POST /api/v1/store/components/": _user({"body:parent": Kind.COMPONENT}, _PUBLISHED),
    "GET /api/v1/store/components/{component_id}": _user(_BY_COMPONENT),
    "PATCH /api/v1/store/components/{component_id}": _user(_BY_COMPONENT | {"body:parent": Kind.COMPONENT}, _PUBLISHED),
    "DELETE /api/v1/store/components/{component_id}": _user(_BY_COMPONENT),
    "GET /api/v1/store/components/{component_id}/versions": _user(_BY_COMPONENT),
    "POST /api/v1/store/components/{component_id}/versions/{version}/yank": _user(_BY_COMPONENT, {"reason": "r"}),
    "DELETE /api/v1/store/components/{component_id}/versions/{version}/yank": _user(_BY_COMPONENT),
    "GET /api/v1/store/users/tags": _user(),
    "GET /api/v1/store/users/likes": _user(),
    **{f"{method} /api/v1/store/users/likes/{{component_id}}": _user(_BY_COMPONENT) for method in _LIKES},
    **{f"{method} /api/v2/files{slash}": _user() for method in ("GET", "POST", "DELETE") for slash in ("", "/")},
    "GET /api/v2/files/usage": _user(),
    "POST /api/v2/files/{file_id}/link": _user({"path:file_id": Kind.FILE}, {}),
    "POST /api/v2/files/batch/": _user({"body:[]": Kind.FILE}, []),
    "DELETE /api/v2/files/batch/": _user({"body:[]": Kind.FILE}, []),
    "GET /api/v2/files/{file_id}": _user({"path:file_id": Kind.FILE}),
    "PUT /api/v2/files/{file_id}": _user({"path:file_id": Kind.FILE}, name="renamed"),
    "DELETE /api/v2/files/{file_id}": _user({"path:file_id": Kind.FILE}),
}

_KEYS = {"API key query", "API key header"}
_TOKENS_AND_KEYS = {"OAuth2PasswordBearer", *_KEYS}
_SCHEMES: Mapping[Access, set[str]] = dict.fromkeys(Access, _TOKENS_AND_KEYS) | {
    Access.ANYONE: set(),
    Access.BY_KEY: _KEYS,
}
"""What the OpenAPI document says of each."""

_SESSIONS = {"session", "session_id", "old_session_id", "new_session_id"}
_IDS = {*_SESSIONS, "job_id", "flow_id_or_name", "component_id"}
"""Names of ids that need not be UUIDs."""


def _operations(app: FastAPI) -> set[str]:
    return {
        f"{method} {route.path_format}"
        for route in iter_route_contexts(app.routes)
        for method in (route.methods or set()) - {"HEAD"}
    }


def _id_places(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    """Where the OpenAPI document says that an operation takes an id."""
    for parameter in operation.get("parameters", ()):
        yield from _ids_in(document, parameter["schema"], f"{parameter['in']}:{parameter['name']}")
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield from _ids_in(document, content["schema"], "body:")


def _ids_in(document: dict[str, Any], schema: dict[str, Any], place: str) -> Iterator[str]:
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    for alternative in schema.get("anyOf", ()):
        yield from _ids_in(document, alternative, place)
    if "items" in schema:
        yield from _ids_in(document, schema["items"], f"{place}[]")
    for name, inner in schema.get("properties", {}).items():
        yield from _ids_in(document, inner, f"{place}{'' if place.endswith(':') else '.'}{name}")
    named = re.split("[:.]", place)[-1] in _IDS
    if schema.get("format") == "uuid" or (named and schema.get("type") == "string"):
        yield place


def test_every_operation_and_every_id_is_in_the_table(clients: Clients) -> None:
    """ALL-4: a new route, or a new id that a route takes, has to be classified here."""
    assert _operations(clients.app) == set(OPERATIONS)
    document = clients.app.openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            listed = OPERATIONS[name]
            if listed.anonymous != 307:
                assert set(_id_places(document, operation)) == set(listed.ids), name
            schemes = {scheme for way in operation.get("security", ()) for scheme in way}
            assert schemes == _SCHEMES[listed.access], name
            assert "default" in operation["responses"], name


_ANY = {"version": "1"}
"""What stands in a path for what is no id."""


def _path(name: str, **values: str) -> str:
    values = _ANY | values
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], str(uuid.UUID(int=0))), name.partition(" ")[2])


async def _bare(client: httpx.AsyncClient, name: str) -> httpx.Response:
    return await client.request(name.partition(" ")[0], _path(name))


async def test_without_credentials_every_operation_answers_as_the_contract_says(client: httpx.AsyncClient) -> None:
    """ALL-4, AUTH-7: nothing but what is listed as open answers a caller without credentials."""
    for name, operation in OPERATIONS.items():
        answer = await _bare(client, name)
        assert answer.status_code == operation.anonymous, (name, answer.text)
        assert "www-authenticate" not in answer.headers or answer.status_code == 401, name
        if operation.access is not Access.ANYONE:
            assert answer.json()["detail"] == NO_CREDENTIALS, name


async def test_ordinary_users_reach_nothing_that_is_the_operators(as_user: httpx.AsyncClient) -> None:
    """ALL-4: routes of superusers and operators, and those that take keys alone."""
    for name, operation in OPERATIONS.items():
        if operation.access in (Access.SUPERUSER, Access.OPERATOR, Access.BY_KEY):
            assert (await _bare(as_user, name)).status_code == 403, name


def _declared(app: FastAPI) -> Mapping[str, Scope | None]:
    """The scope that each operation asks for."""
    return {
        f"{method} {route.path_format}": scope_of(route.original_route, method)
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute)
        for method in (route.methods or set()) - {"HEAD"}
    }


async def test_every_operation_asks_for_the_scope_that_it_declares(clients: Clients) -> None:
    """AUTH-4: a key with all scopes but those that cover it is refused, one with it alone is not, on every route."""
    await clients.user("superuser", superuser=True)
    owner, keys = await clients.user("superuser"), clients.container.auth().api_keys
    client = await clients.anonymous()
    for name, operation in OPERATIONS.items():
        if operation.access is Access.ANYONE:
            continue
        scope = _declared(clients.app)[name]
        assert scope is not None, f"{name}: declare its area in wiring/http/scopes.py"
        for granted, allowed in (({scope}, True), ({one for one in Scope if not covers({one}, scope)}, False)):
            new = await keys.create(owner.id, scopes=granted)
            headers = {"x-api-key": new.secret.get_secret_value()}
            answer = await client.request(name.partition(" ")[0], _path(name), headers=headers)
            refused = answer.status_code == 403 and answer.json()["type"].endswith("insufficient_scope")
            assert refused is not allowed, (name, granted, answer.text)


async def test_token_and_key_of_a_deactivated_user_are_dead_on_every_route(clients: Clients) -> None:
    """AUTH-3, AUTH-4: deactivation ends every token and key, whatever they are sent to."""
    by_key, by_token = await clients.with_key("leaver"), await clients.logged_in("leaver")
    anonymous, superuser = await clients.anonymous(), await clients.superuser()
    sent = {"username": "leaver", "password": PASSWORD}
    refresh = (await anonymous.post("/api/v1/login", data=sent)).json()["refresh_token"]
    user_id = (await by_key.get("/api/v1/users/whoami")).json()["id"]
    gone = await superuser.patch(f"/api/v1/users/{user_id}", json={"is_active": False})
    assert gone.status_code == 200
    for name, operation in OPERATIONS.items():
        if operation.access is Access.ANYONE:
            continue
        assert (await _bare(by_key, name)).status_code == 403, name
        expected = 403 if operation.access is Access.BY_KEY else 401
        assert (await _bare(by_token, name)).status_code == expected, name
    cookie = {"Cookie": f"refresh_token_lf={refresh}"}
    assert (await (await clients.anonymous()).post("/api/v1/refresh", headers=cookie)).status_code == 401
    assert (await anonymous.post("/api/v1/login", data=sent)).status_code in (400, 401)


async def _both(clients: Clients, username: str, *, superuser: bool = False) -> httpx.AsyncClient:
    """A client with a token and, for the routes that look at nothing else, a key of the same user."""
    client = await clients.logged_in(username, superuser=superuser)
    by_key = await clients.with_key(username)
    client.headers["x-api-key"] = by_key.headers["x-api-key"]
    return client


async def _furnished(client: httpx.AsyncClient, upload: Upload, mark: str, session: str) -> dict[Kind, str]:
    """One object of each kind of the client's user, with ``mark`` in all its texts."""
    variable = {"name": f"variable {mark}", "value": f"value {mark}", "type": "Generic", "default_fields": []}
    project = {"name": f"project {mark}"}
    made = {
        Kind.VARIABLE: await client.post("/api/v1/variables/", json=variable),
        Kind.PROJECT: await client.post("/api/v1/projects/", json=project),
        Kind.KEY: await client.post("/api/v1/api_key/", json={"name": f"key {mark}"}),
        Kind.USER: await client.get("/api/v1/users/whoami"),
    }
    ids: dict[Kind, str] = {kind: answer.json()["id"] for kind, answer in made.items()}
    await client.post("/api/v1/api_key/store", json={"api_key": f"store-key-{mark}"})
    published = _PUBLISHED | {"name": f"component {mark}", "tags": [f"tag {mark}"], "private": True}
    ids[Kind.COMPONENT] = (await client.post("/api/v1/store/components/", json=published)).json()["id"]
    file = {"file": (f"file {mark}.txt", f"content {mark}")}
    ids[Kind.FILE] = (await client.post("/api/v2/files", files=file)).json()["id"]
    ids[Kind.ENDPOINT], ids[Kind.SESSION] = f"endpoint-{mark}", session
    flow = await upload(client, endpoint_name=ids[Kind.ENDPOINT], folder_id=ids[Kind.PROJECT], description=mark)
    ids[Kind.FLOW] = flow["id"]
    await client.post(f"/api/v1/files/upload/{flow['id']}", files=file)
    sent = {"inputs": {"input_value": f"Hello {mark}", "session": session}}
    ids[Kind.JOB] = (await client.post(f"/api/v1/build/{flow['id']}/flow", json=sent)).json()["job_id"]
    await client.get(f"/api/v1/build/{ids[Kind.JOB]}/events")
    put_off = {"flow_id": flow["id"], "input_value": f"task {mark}", "delay": 3600}
    ids[Kind.TASK] = (await client.post("/api/v1/tasks", json=put_off)).json()["id"]
    ids[Kind.MESSAGE] = (await client.get("/api/v1/monitor/messages")).json()[0]["id"]
    ids[Kind.LOGIN] = (await client.get("/api/v1/auth/sessions")).json()["sessions"][0]["id"]
    ids[Kind.TRACE] = (await client.get("/api/v1/monitor/traces")).json()["items"][0]["id"]
    return ids


def _views(ids: Ids) -> list[str]:
    """Addresses that show all of somebody's objects."""
    lists = [
        *("users/whoami", "api_key/", "variables/", "projects/", "flows/", "flows/?header_flows=true"),
        *("store/components/?filter_by_user=true", "store/users/tags", "store/users/likes"),
        *("flows/?get_all=false", "monitor/messages", "monitor/messages/sessions", "monitor/traces"),
        *("tasks", "monitor/messages/search?q=hello", "monitor/sessions"),
    ]
    own = [
        f"projects/{ids[Kind.PROJECT]}",
        f"flows/{ids[Kind.FLOW]}",
        f"build/{ids[Kind.JOB]}/events",
        f"monitor/builds?flow_id={ids[Kind.FLOW]}",
        f"monitor/transactions?flow_id={ids[Kind.FLOW]}",
        f"monitor/traces/{ids[Kind.TRACE]}",
        f"files/list/{ids[Kind.FLOW]}",
        f"store/components/{ids[Kind.COMPONENT]}/versions",
        f"tasks/{ids[Kind.TASK]}",
    ]
    files = ["/api/v2/files", f"/api/v2/files/{ids[Kind.FILE]}"]
    return [*(f"/api/v1/{view}" for view in (*lists, *own)), *files]


async def _snapshot(client: httpx.AsyncClient, ids: Ids) -> dict[str, str]:
    answers = {view: await client.get(view) for view in _views(ids)}
    assert all(answer.status_code == 200 for answer in answers.values())
    return {view: answer.text for view, answer in answers.items()}


def _filled(value: Any, own: Ids, number: int) -> Any:
    if isinstance(value, str):
        return value.format(**{kind.value: id_ for kind, id_ in own.items()}, number=number)
    if isinstance(value, dict):
        return {name: _filled(inner, own, number) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, own, number) for inner in value]
    return copy.copy(value)


def _put(body: Any, place: str, value: str) -> Any:
    """``body`` with ``value`` at a place such as ``inputs.session`` or ``flows[]``."""
    name, _, rest = place.partition(".")
    if name == "[]":
        return [value]
    if rest and name.endswith("[]"):
        return body | {name[:-2]: [_put(inner, rest, value) for inner in body[name[:-2]]]}
    if rest:
        return body | {name: _put(body.get(name, {}), rest, value)}
    return body | ({name[:-2]: [value]} if name.endswith("[]") else {name: value})


async def _call(client: httpx.AsyncClient, name: str, place: str, id_: str, own: Ids, number: int) -> httpx.Response:
    """Call an operation with the caller's own ids, save for one place."""
    operation = OPERATIONS[name]
    where, _, key = place.partition(":")
    path = {
        at.partition(":")[2]: own[kind[0] if isinstance(kind, tuple) else kind]
        for at, kind in operation.ids.items()
        if at.startswith("path:")
    }
    query, body = dict(operation.query), _filled(operation.body, own, number)
    if where == "path":
        path[key] = id_
        if isinstance(body, dict) and "id" in body:
            body["id"] = id_
    elif where == "query":
        query[key] = id_
    else:
        body = _put(body, key, id_)
    return await client.request(name.partition(" ")[0], _path(name, **path), params=query, json=body)


_NAMED = (Kind.SESSION, Kind.ENDPOINT)
_UNKNOWN: Ids = {kind: f"unknown-{kind}" if kind in _NAMED else str(uuid.uuid4()) for kind in Kind}
_VARYING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?"), "<time>"),
    (re.compile(r"sk-[\w-]+"), "<key>"),
    (re.compile(r'"duration":[^,}]*'), "<duration>"),
    (re.compile(r"of-[bc]\b"), "<of the caller>"),
)


def _comparable(answer: httpx.Response, ids: Ids) -> tuple[int, str | None, str]:
    text = answer.text
    for kind, id_ in ids.items():
        text = text.replace(id_, f"<{kind}>" if kind in _NAMED else "<uuid>")
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return answer.status_code, answer.headers.get("content-type"), text


def _cases(*, superuser: bool) -> Iterator[tuple[str, str, Kind]]:
    for name, operation in OPERATIONS.items():
        for place, kinds in operation.ids.items():
            for kind in kinds if isinstance(kinds, tuple) else (kinds,):
                # Users are what superusers manage; and a new key is for its maker, whoever is named.
                if kind is not Kind.USER or not superuser:
                    yield name, place, kind


async def _settled(client: httpx.AsyncClient, answer: httpx.Response) -> None:
    """Wait for the job that a call began, so that whatever it does is done."""
    started = answer.json() if answer.headers.get("content-type") == "application/json" else None
    if isinstance(started, dict) and "job_id" in started:
        await client.get(f"/api/v1/build/{started['job_id']}/events")


@pytest.mark.parametrize("superuser", [False, True], ids=["ordinary", "superuser"])
async def test_ids_of_another_user_answer_like_unknown_ones(
    clients: Clients, upload: Upload, llm: LocalLLM, *, superuser: bool
) -> None:
    """ALL-4: for every id that any operation takes, in path, query or body, and even for superusers.

    B calls everything with the ids of A, and C, who has the same objects, everything with ids of nobody.
    """
    a = await _both(clients, "a")
    theirs = await _furnished(a, upload, SECRET, "session-of-a")
    before = await _snapshot(a, theirs)
    b, c = await _both(clients, "b", superuser=superuser), await _both(clients, "c", superuser=superuser)
    of_b = await _furnished(b, upload, "of-b", "session-of-b")
    of_c = await _furnished(c, upload, "of-c", "session-of-c")
    asked = len(llm.requests)
    for number, (name, place, kind) in enumerate(_cases(superuser=superuser)):
        case = (name, place, kind)
        foreign = await _call(b, name, place, theirs[kind], of_b, number)
        await _settled(b, foreign)
        unknown = await _call(c, name, place, _UNKNOWN[kind], of_c, number)
        await _settled(c, unknown)
        assert foreign.status_code < 500, case
        assert _comparable(foreign, theirs) == _comparable(unknown, _UNKNOWN), case
        assert SECRET not in foreign.text.replace(theirs[kind], ""), case
    assert SECRET not in str(llm.requests[asked:]), "a session of the same name gave A's messages to B"
    assert await _snapshot(a, theirs) == before
    shown = "".join((await _snapshot(b, of_b)).values())
    assert SECRET not in shown
    assert not [kind for kind, id_ in theirs.items() if kind not in _NAMED and id_ in shown]


async def test_a_running_job_cannot_be_cancelled_or_read_by_another(
    clients: Clients, upload: Upload, llm: LocalLLM
) -> None:
    """ALL-4, JOB-1: the job of another user goes on."""
    gate = Gate()
    llm.script(Fault(hold_after=(1, gate)))
    a, b = await clients.logged_in("a"), await clients.logged_in("b")
    flow = await upload(a)
    job = (await a.post(f"/api/v1/build/{flow['id']}/flow", json={})).json()["job_id"]
    assert (await b.post(f"/api/v1/build/{job}/cancel")).status_code == 404
    assert (await b.get(f"/api/v1/build/{job}/events")).status_code == 404
    gate.open()
    events = (await a.get(f"/api/v1/build/{job}/events")).text
    assert events.rstrip().endswith('{"event":"end","data":{}}')


async def test_deleting_a_user_leaves_nothing_that_its_credentials_open(
    clients: Clients, user: User, as_user: httpx.AsyncClient, upload: Upload
) -> None:
    """ALL-4: what belonged to a deleted user is gone, a public flow too."""
    flow = await upload(as_user, access_type="PUBLIC")
    anonymous, superuser = await clients.anonymous(), await clients.superuser()
    public = f"/api/v1/flows/public_flow/{flow['id']}"
    assert (await anonymous.get(public)).status_code == 200
    assert (await superuser.delete(f"/api/v1/users/{user.id}")).status_code == 200
    assert (await anonymous.get(public)).status_code == 404
    assert (await as_user.get(f"/api/v1/flows/{flow['id']}")).status_code == 401
