"""What is wrong is refused in one shape: never a 500, never a traceback, never a secret in log or answer."""

import base64
import copy
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import jwt
import pytest
import time_machine
from tests.integration.http.conftest import Upload

from bedplate.services.auth import User
from bedplate.wiring.testing.clients import PASSWORD, Clients
from bedplate.wiring.testing.llm import LocalLLM

LIMIT = 256 * 1024
NODES = 20
ORIGIN = "https://app.example"
NO_NODES: dict[str, Any] = {"nodes": [], "edges": []}
NOBODY = "00000000-0000-0000-0000-000000000000"
CREDENTIAL = "a-credential-that-nobody-may-see"


@pytest.fixture
def container_settings(container_settings: dict[str, Any]) -> dict[str, Any]:
    session = container_settings["session"] | {"max_nodes": NODES}
    server = {"max_body_bytes": LIMIT, "cors_origins": (ORIGIN,)}
    return container_settings | {"session": session, "server": server}


@pytest.fixture(autouse=True)
def clean_log(caplog: pytest.LogCaptureFixture, llm: LocalLLM) -> Iterator[None]:
    """Whatever a test sends, nothing in the log is an error, a traceback or a secret."""
    yield
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL") or record.exc_info]
    assert not [secret for secret in (PASSWORD, CREDENTIAL, llm.key) if secret in caplog.text]


def problem(answer: httpx.Response, *statuses: int) -> Any:
    """The detail of an error answer, which must have the one shape and one of the statuses."""
    body = answer.json()
    assert answer.status_code in statuses, (answer.status_code, body)
    assert set(body) == {"detail", "type", "title", "status", "instance"}
    assert body["status"] == answer.status_code
    if answer.request.url.path.isprintable():
        assert body["instance"] == answer.request.url.path
    assert answer.headers["content-type"] == "application/json"
    _harmless(answer)
    return body["detail"]


def _harmless(answer: httpx.Response) -> None:
    leaks = ("Traceback", 'File "', "sqlalchemy", "site-packages", "SELECT ", "INSERT INTO", PASSWORD, CREDENTIAL)
    assert not [leak for leak in leaks if leak in answer.text]


def faults_of(answer: httpx.Response, case: object) -> list[object]:
    """The case, if the answer is a fault of the server; any other error must have the one shape."""
    if answer.status_code >= 500:
        return [case]
    if answer.status_code >= 400:
        problem(answer, answer.status_code)
    return []


async def _all_rights(clients: Clients) -> httpx.AsyncClient:
    client = await clients.superuser()
    client.headers["x-api-key"] = (await clients.with_key("superuser")).headers["x-api-key"]
    return client


def _operations(clients: Clients) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in clients.app.openapi()["paths"].items():
        for method, operation in methods.items():
            # These two answer 501 whatever is asked; logout ends the session that the others need.
            if path not in ("/logs", "/logs-stream", "/api/v1/logout"):
                yield method.upper(), path, operation


def _known(path: str) -> str:
    return path.replace("{", "").replace("}", "") if "{" not in path else _filled(path, NOBODY)


def _filled(path: str, value: str) -> str:
    start, _, rest = path.partition("{")
    return start + value + rest.partition("}")[2]


NO_JSON = {
    "cut off": b'{"name": "x", ',
    "no JSON": b"name=x",
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "too deep": b"[" * 50_000,
    "text after it": b"{} {}",
}
OTHER_JSON = {
    "null": b"null",
    "number": b"1",
    "not a number": b"NaN",
    "text": b'"x"',
    "list": b"[[]]",
    "object": b'{"\\u0000": 1}',
    "endless number": b"1" * 5_000,
}


async def test_a_body_that_is_no_json_is_a_422_on_every_operation(clients: Clients) -> None:
    client = await _all_rights(clients)
    headers = {"Content-Type": "application/json"}
    for method, path, operation in _operations(clients):
        contents = operation.get("requestBody", {}).get("content", {})
        for what, body in (NO_JSON | OTHER_JSON).items() if contents else ():
            answer = await client.request(method, _known(path), content=body, headers=headers)
            case = (method, path, what)
            assert not faults_of(answer, case)
            assert answer.status_code in (400, 422) or what in OTHER_JSON or "application/json" not in contents, case


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", None, "nonsense"])
async def test_another_content_type_is_a_422(as_user: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    body = b'{"name": "x", "value": "y", "default_fields": []}'
    problem(await as_user.post("/api/v1/variables/", content=body, headers=headers), 400, 422)
    problem(await as_user.post("/api/v1/login", content=body, headers=headers), 400, 422)
    assert (await as_user.get("/api/v1/variables/")).json() == []


TEXTS = {
    "empty": "",
    "blank": " ",
    "null character": "a\0b",
    "half a character": "a\ud800b",
    "control characters": "\x1b[2J\r\n",
    "reversed": "\u202egnp.exe",
    "long": "x" * 10_000,
    "no UUID": "not-a-uuid",
    "negative": "-1",
    "huge": "9" * 40,
    "number with a point": "1e400",
    "markup": "<script>alert(1)</script>",
    "SQL": "'; DROP TABLE bedplate_flow; --",
    "template": "{{7*7}} ${jndi:ldap://127.0.0.1/}",
    "path": "../../../etc/passwd",
}


def _in_url(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode(errors="surrogatepass"))


async def test_no_parameter_of_any_operation_breaks_it(clients: Clients) -> None:
    """Every parameter, in path and query, with whatever can stand in an address."""
    client, faults = await _all_rights(clients), list[object]()
    headers = {"Content-Type": "application/json"}
    for method, path, operation in _operations(clients):
        body = b"{}" if "requestBody" in operation else None
        for parameter in operation.get("parameters", ()):
            for what, text in TEXTS.items():
                if parameter["in"] == "path":
                    url = _filled(path, _in_url(text))
                else:
                    url = f"{_known(path)}?{parameter['name']}={_in_url(text)}"
                answer = await client.request(method, url, content=body, headers=headers)
                faults += faults_of(answer, (method, path, parameter["name"], what))
    assert not faults


VALUES: dict[str, Any] = TEXTS | {
    "number": 10**30,
    "negative number": -(2**70),
    "fraction": 1e308,
    "boolean": True,
    "list": [[]],
    "list of halves": ["a\ud800"],
    "object": {"\ud800": "\0"},
    "nodes that are none": {"nodes": [1, None, "x", {}], "edges": [None, {}]},
    "deep": {"a": [[[[[[[[[[{}]]]]]]]]]]},
    "null": None,
}


async def test_no_value_in_any_body_breaks_it(clients: Clients, upload: Upload) -> None:
    """Every field of every body in turn, with values that it was not made for, on objects that are there."""
    client, faults = await _all_rights(clients), list[object]()
    ids = await _objects(client, upload)
    for method, path, operation in _operations(clients):
        for content_type, field, example in _fields(clients.app.openapi(), operation, ids):
            for what, value in VALUES.items():
                body = example | {field: value} if field else value
                known = path
                for name, id_ in ids.items():
                    known = known.replace(f"{{{name}}}", id_)
                content = json.dumps(body)
                if content_type != "application/json" and field:
                    content = "&".join(f"{key}={_in_url(str(item))}" for key, item in body.items())
                answer = await client.request(
                    method,
                    known,
                    content=content,
                    headers={"Content-Type": content_type},
                    params={"new_session_id": "x"},
                )
                faults += faults_of(answer, (method, path, field, what))
    assert not faults
    for view in (
        "users/whoami",
        "variables/",
        "projects/",
        "flows/",
        "monitor/messages",
        "monitor/traces",
        "tasks",
        "api_key/",
        "store/components/?filter_by_user=true",
    ):
        assert (await client.get(f"/api/v1/{view}")).status_code == 200, view


async def _objects(client: httpx.AsyncClient, upload: Upload) -> dict[str, str]:
    """One object of each kind, by the names that paths have for their ids."""
    flow = await upload(client)
    job = (await client.post(f"/api/v1/build/{flow['id']}/flow", json={})).json()["job_id"]
    await client.get(f"/api/v1/build/{job}/events")
    project = (await client.post("/api/v1/projects/", json={"name": "a project"})).json()["id"]
    message = (await client.get("/api/v1/monitor/messages")).json()[0]["id"]
    await client.post("/api/v1/api_key/store", json={"api_key": "a-store-key"})
    published = {"name": "x", "description": "", "data": NO_NODES, "tags": [], "is_component": False}
    component = (await client.post("/api/v1/store/components/", json=published)).json()["id"]
    other = {"username": "other", "password": "another password"}
    empty = (await client.post("/api/v1/flows/", json={"name": "without a graph"})).json()["id"]
    task = (await client.post("/api/v1/tasks", json={"flow_id": empty, "delay": 3600})).json()["id"]
    return {
        "empty_flow_id": empty,
        "task_id": task,
        "flow_id": flow["id"],
        "flow_id_or_name": flow["id"],
        "job_id": job,
        "project_id": project,
        "variable_id": (await client.get("/api/v1/variables/")).json()[0]["id"],
        "message_id": message,
        "component_id": component,
        "version": "1.0.0",
        "user_id": (await client.post("/api/v1/users/", json=other)).json()["id"],
    }


def _fields(
    document: dict[str, Any], operation: dict[str, Any], ids: dict[str, str]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each field of the body, with the content type and the other fields that it needs."""
    good = {"name": "made", "value": "v", "default_fields": [], "username": "u", "password": "p", "flows": []}
    good |= {"description": "", "data": NO_NODES, "tags": [], "is_component": False}
    good |= {"id": ids["variable_id"], "api_key": "k", "input_value": "Hello"}
    good |= {"flow_id": ids["empty_flow_id"], "session_id": ids["flow_id"]}
    for content_type, content in operation.get("requestBody", {}).get("content", {}).items():
        for schema in (content["schema"], *content["schema"].get("anyOf", ())):
            if "$ref" in schema:
                model = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
                example = {name: good[name] for name in model.get("required", ())}
                for name in model.get("properties", {}):
                    yield content_type, name, copy.deepcopy(example)
        yield content_type, "", {}


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
async def test_a_body_over_the_limit_is_a_413(as_user: httpx.AsyncClient, *, chunked: bool) -> None:
    body = json.dumps({"name": "x" * LIMIT}).encode()

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    content = parts() if chunked else body
    answer = await as_user.post("/api/v1/flows/", content=content, headers={"Content-Type": "application/json"})
    assert problem(answer, 413).startswith("Content size limit exceeded. Maximum allowed is 0.25MB and got 0.2")
    assert (await as_user.get("/api/v1/flows/")).json() == []


async def test_fifty_megabytes_are_not_read(as_user: httpx.AsyncClient) -> None:
    read = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(800):
            read += 65_536
            yield b"x" * 65_536

    answer = await as_user.post("/api/v1/flows/", content=parts(), headers={"Content-Type": "application/json"})
    problem(answer, 413)
    # The test's transport reads ahead of the application by a part or two.
    assert read <= LIMIT + 3 * 65_536


def _node(node_id: str, kind: str = "ChatInput") -> dict[str, Any]:
    return {"id": node_id, "type": "genericNode", "data": {"id": node_id, "type": kind, "node": {"template": {}}}}


def _edge(source: str, target: str) -> dict[str, Any]:
    handles = {"sourceHandle": {"name": "message"}, "targetHandle": {"fieldName": "input_value"}}
    return {"id": f"{source}-{target}", "source": source, "target": target, "data": handles}


NO_FLOWS: dict[str, tuple[dict[str, Any], int]] = {
    "no nodes": ({"edges": []}, 400),
    "no edges": ({"nodes": []}, 400),
    "nodes that are no list": ({"nodes": {}, "edges": []}, 400),
    "something else": ({"hello": "world"}, 400),
}
NO_GRAPHS: dict[str, tuple[dict[str, Any], int]] = {
    "nodes that are none": ({"nodes": [{"id": 1}, {}], "edges": []}, 400),
    "an edge to nowhere": ({"nodes": [_node("a")], "edges": [_edge("a", "b")]}, 400),
    "edges that are none": ({"nodes": [_node("a")], "edges": [{"id": 1}]}, 400),
    "the same node twice": ({"nodes": [_node("a"), _node("a")], "edges": []}, 400),
    "a cycle": (
        {"nodes": [_node("a", "ChatOutput"), _node("b", "ChatOutput")], "edges": [_edge("a", "b"), _edge("b", "a")]},
        400,
    ),
    "an unknown component": ({"nodes": [_node("a", "NoSuchComponent")], "edges": []}, 400),
    "too many nodes": ({"nodes": [_node(f"n{number}") for number in range(NODES + 1)], "edges": []}, 413),
}


@pytest.mark.parametrize("what", NO_FLOWS)
async def test_a_document_that_is_no_flow_is_not_stored(as_user: httpx.AsyncClient, what: str) -> None:
    data, status = NO_FLOWS[what]
    problem(await as_user.post("/api/v1/flows/", json={"name": "x", "data": data}), status)
    assert (await as_user.get("/api/v1/flows/")).json() == []
    flow = (await as_user.post("/api/v1/flows/", json={"name": "x"})).json()
    problem(await as_user.patch(f"/api/v1/flows/{flow['id']}", json={"data": data}), status)
    assert (await as_user.get(f"/api/v1/flows/{flow['id']}")).json() == flow


@pytest.mark.parametrize("what", NO_GRAPHS)
async def test_a_graph_that_cannot_run_is_refused_when_it_is_built_or_run(clients: Clients, what: str) -> None:
    """A flow that is being drawn may be stored unfinished; running it names what is wrong."""
    data, status = NO_GRAPHS[what]
    owner, by_key = await clients.logged_in("owner"), await clients.with_key("owner")
    flow = (await owner.post("/api/v1/flows/", json={"name": "x", "data": data})).json()
    problem(await by_key.post(f"/api/v1/run/{flow['id']}", json={}), status)
    build = await owner.post(f"/api/v1/build/{flow['id']}/flow", json={}, params={"event_delivery": "direct"})
    if build.status_code == 200:
        events = [json.loads(line) for line in build.text.split("\n\n") if line]
        assert [event["event"] for event in events].count("error") == 1
        assert events[-1]["event"] == "error"
        _harmless(build)
    else:
        problem(build, status)
    assert (await owner.get(f"/api/v1/flows/{flow['id']}")).json() == flow


@pytest.mark.parametrize("name", ["", " ", "x" * 256, "a\0b", "a\ud800b", "a\nb"], ids=repr)
async def test_names_that_are_none_are_refused(as_user: httpx.AsyncClient, name: str) -> None:
    headers = {"Content-Type": "application/json"}
    for path, rest in (
        ("flows/", {}),
        ("projects/", {}),
        ("variables/", {"value": CREDENTIAL, "default_fields": []}),
        ("api_key/", {}),
    ):
        answer = await as_user.post(f"/api/v1/{path}", content=json.dumps({"name": name} | rest), headers=headers)
        if path == "api_key/" and (not name.strip() or name == "a\nb"):
            continue  # a label that may be left out, and only has to be storable
        problem(answer, 400, 413, 422)
    user = json.dumps({"username": name, "password": PASSWORD})
    problem(await as_user.post("/api/v1/users/", content=user, headers=headers), 400, 422)
    assert [project["name"] for project in (await as_user.get("/api/v1/projects/")).json()] in ([], ["Starter Project"])


async def test_ids_that_are_none_are_a_422(as_user: httpx.AsyncClient) -> None:
    for path in ("flows/no-uuid", "projects/no-uuid", "monitor/traces/no-uuid", "monitor/builds?flow_id=1"):
        detail = problem(await as_user.get(f"/api/v1/{path}"), 422)
        assert detail[0]["type"] == "uuid_parsing"
        assert "input" not in detail[0]
    for path in ("variables/no-uuid", "api_key/no-uuid", "flows/no-uuid"):
        problem(await as_user.delete(f"/api/v1/{path}"), 422)


def _unsigned(payload: dict[str, Any], header: dict[str, Any]) -> str:
    def encoded(part: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")

    return f"{encoded(header | {'alg': 'none'})}.{encoded(payload)}."


async def test_forged_and_expired_tokens_are_a_401(clients: Clients, client: httpx.AsyncClient, user: User) -> None:
    tokens = await clients.container.auth().login("user", PASSWORD)
    access = tokens.access_token
    payload = jwt.decode(access, options={"verify_signature": False})
    header = jwt.get_unverified_header(access)
    bad = {
        "unsigned": _unsigned(payload, header),
        "another key": jwt.encode(payload, "k" * 64, algorithm="HS256", headers=header),
        "another user": ".".join(
            [access.split(".")[0], _unsigned(payload | {"sub": NOBODY}, header).split(".")[1], access.split(".")[2]]
        ),
        "refresh token": tokens.refresh_token,
        "cut off": access[:-5],
        "nonsense": "nonsense",
        "long": "x" * 60_000,
        "not ASCII": "caf\u00e9",
    }
    for what, token in bad.items():
        answer = await client.get("/api/v1/users/whoami", headers={"Authorization": f"Bearer {token}".encode()})
        assert answer.status_code == 401, (what, answer.text)
        problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert token not in answer.text
    with time_machine.travel(time.time() + 400 * 24 * 3600, tick=False):
        problem(await client.get("/api/v1/users/whoami", headers={"Authorization": f"Bearer {access}"}), 401)
    assert (await client.get("/api/v1/users/whoami", headers={"Authorization": f"Bearer {access}"})).status_code == 200


async def test_nonsense_as_a_key_or_a_cookie_is_refused(client: httpx.AsyncClient) -> None:
    for key in ("sk-", "sk-" + "x" * 10_000, "\u00e9".encode(), "' OR 1=1 --"):
        problem(await client.get("/api/v1/users/whoami", headers={b"x-api-key": key}), 403)
        problem(await client.post("/api/v1/refresh", headers={b"Cookie": f"refresh_token_lf={key!r}".encode()}), 401)
    problem(await client.get("/api/v1/users/whoami?x-api-key=%00%ED%A0%80"), 403)
    problem(await client.get("/api/v1/users/whoami", headers={"Authorization": "Basic dXNlcjpwYXNz"}), 403)


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "\u00e9",
        "\0",
        "=",
        _cursor("no time/" + NOBODY),
        _cursor("2026-01-01T00:00:00/" + NOBODY),
        _cursor("2026-01-01T00:00:00+00:00/no-uuid"),
        _cursor("0001-01-01T00:00:00+14:00/" + NOBODY),
        _cursor("9999-12-31T23:59:59-14:00/" + NOBODY),
    ],
)
async def test_a_forged_cursor_is_a_400(as_user: httpx.AsyncClient, cursor: str) -> None:
    assert problem(await as_user.get("/api/v1/monitor/traces", params={"cursor": cursor}), 400)
    for order in ("best", "newest"):
        query = {"q": "x", "order": order, "cursor": cursor}
        assert problem(await as_user.get("/api/v1/monitor/messages/search", params=query), 400)


@pytest.mark.parametrize("text", ["-", '""', "-x", "* *", "x" * 1001, "x " * 33])
async def test_a_search_without_a_word_or_with_too_many_is_a_400(as_user: httpx.AsyncClient, text: str) -> None:
    problem(await as_user.get("/api/v1/monitor/messages/search", params={"q": text}), 400)


async def test_pages_and_orders_that_are_none_are_a_422(as_user: httpx.AsyncClient) -> None:
    projects = (await as_user.post("/api/v1/projects/", json={"name": "x"})).json()
    flow = (await as_user.post("/api/v1/flows/", json={"name": "x"})).json()
    queries = {
        "flows/": ({"page": -1}, {"page": 0}, {"size": 0}, {"size": 101}, {"page": "x"}, {"folder_id": "x"}),
        f"projects/{projects['id']}": ({"page": -1, "size": 1}, {"page": 1, "size": 0}),
        "monitor/messages": ({"order_by": "text"}, {"order_by": "timestamp; DROP TABLE x"}, {"flow_id": "x"}),
        "monitor/sessions": ({"limit": 0}, {"limit": 201}, {"offset": -1}, {"offset": 10**30}, {"flow_id": "x"}),
        "monitor/messages/search": ({}, {"q": ""}, {"q": "x", "limit": 101}, {"q": "x", "order": "x"}),
        "monitor/messages/export": ({}, {"session_id": ""}, {"session_id": "x", "format": "html"}),
        "monitor/traces": ({"limit": 0}, {"limit": -1}, {"limit": 201}, {"limit": 10**30}),
        "monitor/transactions": ({"flow_id": flow["id"], "page": -1}, {"flow_id": flow["id"], "size": 0}, {}),
    }
    for path, asked in queries.items():
        for query in asked:
            problem(await as_user.get(f"/api/v1/{path}", params=query | {"get_all": "false"}), 422)


@pytest.mark.parametrize("page", [2**31, 2**63, 10**30])
async def test_a_page_beyond_all_numbers_is_empty_or_refused(clients: Clients, page: int) -> None:
    client = await clients.superuser()
    project = (await client.post("/api/v1/projects/", json={"name": "x"})).json()
    flow = (await client.post("/api/v1/flows/", json={"name": "x"})).json()
    for path, query in (
        ("flows/", {"get_all": "false", "page": page}),
        (f"projects/{project['id']}", {"page": page, "size": 100}),
        ("monitor/transactions", {"flow_id": flow["id"], "page": page}),
        ("users/", {"skip": page}),
    ):
        assert not faults_of(await client.get(f"/api/v1/{path}", params=query), (path, query))


@pytest.mark.parametrize("event_id", ["x", "-1", "1.5", "9" * 19, "9" * 400, "\u0661".encode()])
async def test_a_last_event_id_that_is_no_number_is_a_400(
    as_user: httpx.AsyncClient, upload: Upload, event_id: str | bytes
) -> None:
    flow = await upload(as_user)
    job = (await as_user.post(f"/api/v1/build/{flow['id']}/flow", json={})).json()["job_id"]
    for delivery in ("streaming", "polling"):
        answer = await as_user.get(
            f"/api/v1/build/{job}/events",
            headers={b"Last-Event-ID": event_id},
            params={"event_delivery": delivery},
        )
        assert "Last-Event-ID" in problem(answer, 400)
    problem(await as_user.get(f"/api/v1/build/{job}/events", params={"event_delivery": "pigeon"}), 422)


async def test_foreign_origins_are_refused_and_configured_ones_allowed(client: httpx.AsyncClient) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    foreign = await client.options("/api/v1/flows/", headers={"Origin": "https://evil.example"} | asked)
    assert foreign.status_code == 400
    assert "access-control-allow-origin" not in foreign.headers
    plain = await client.get("/health", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in plain.headers
    allowed = await client.options("/api/v1/flows/", headers={"Origin": ORIGIN} | asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "access-control-allow-credentials" not in allowed.headers


async def test_errors_reach_pages_of_configured_origins(client: httpx.AsyncClient) -> None:
    """A page can read why it was refused: its answer carries the header too, also that of the limit."""
    sent = {"Origin": ORIGIN, "Content-Type": "application/json"}
    for answer in (
        await client.get("/api/v1/users/whoami", headers=sent),
        await client.post("/api/v1/flows/", headers=sent, content=b"x" * (LIMIT + 1)),
    ):
        assert answer.status_code in (403, 413)
        assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_unknown_endpoints_and_methods(clients: Clients, client: httpx.AsyncClient) -> None:
    problem(await client.get("/api/v1/nothing"), 404)
    problem(await client.get("/api/v1/flows/x/y"), 404)
    problem(await client.put("/api/v1/version"), 405)
    problem(await client.get("/%00"), 404)
    by_key = await clients.with_key("user")
    answer = await by_key.post("/api/v1/run/no-such-endpoint", json={})
    assert problem(answer, 404) == "Flow identifier no-such-endpoint not found"
    problem(await by_key.post(f"/api/v1/run/{uuid.uuid4()}", json={}), 404)


async def test_no_error_repeats_a_secret(client: httpx.AsyncClient, as_user: httpx.AsyncClient) -> None:
    """The values of a refused body may be passwords and credentials."""
    sign_up = {"username": 1, "password": PASSWORD}
    problem(await client.post("/api/v1/users/", json=sign_up), 422)
    problem(await client.post("/api/v1/users/", json={"username": "u", "password": [PASSWORD]}), 422)
    problem(await client.post("/api/v1/login", data={"username": "u", "password": PASSWORD, "grant_type": "x"}), 422)
    problem(await client.post("/api/v1/login", data={"username": "u", "password": PASSWORD}), 401)
    variable = {"name": "x", "value": {"a": CREDENTIAL}, "default_fields": []}
    problem(await as_user.post("/api/v1/variables/", json=variable), 422)
    answer = await as_user.post("/api/v1/variables/", json=variable | {"value": CREDENTIAL, "type": CREDENTIAL})
    problem(answer, 400)
