"""Every operation of the REST contract against the running application.

Each is called with a valid request, whose answer must have the declared status, type and shape; and with every request
that its own parameters and bodies refuse, which must be a 422 in the declared shape.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.contract.calls import CALLS, JSON, Call
from tests.contract.objects import Objects
from tests.contract.reference import invalid_texts, invalid_values, operations, problems

from bedplate.wiring.testing.clients import Clients

pytestmark = pytest.mark.reference

_DIFFERENCES = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text(encoding="utf-8")


@pytest.fixture
async def objects(clients: Clients) -> Objects:
    return await Objects.of(clients)


def test_every_operation_is_in_the_table(contract: dict[str, Any]) -> None:
    assert set(CALLS) == set(operations())


def test_every_difference_is_on_the_page() -> None:
    assert not [call.different for calls in CALLS.values() for call in calls if call.different not in _DIFFERENCES]


def test_bodies_and_identifiers_are_spoilt(contract: dict[str, Any]) -> None:
    """What the test below sends is not nothing."""
    for name in operations():
        operation, call = operations()[name], CALLS[name][0]
        spoilt = dict(_spoilt(name, call, call.body))
        assert spoilt or "requestBody" not in operation, name
        for parameter in operation.get("parameters", ()):
            if parameter["schema"].get("format") == "uuid":
                assert f"{parameter['in']} {parameter['name']}=no such value" in spoilt, name


@pytest.mark.parametrize("name", operations())
async def test_a_valid_request_is_answered_as_declared(name: str, objects: Objects) -> None:
    declared = {status: answer for status, answer in operations()[name]["responses"].items() if status.startswith("2")}
    for call in CALLS[name]:
        answer = await _send(objects, name, call)
        assert (call.status is None) or call.different, "another status needs a reason"
        assert answer.status_code == (call.status or int(*declared)), (name, answer.text)
        if call.status is None:
            _check_body(answer, call, declared[str(answer.status_code)].get("content", {}))


@pytest.mark.parametrize("name", operations())
async def test_an_invalid_request_is_a_422(name: str, objects: Objects, clients: Clients) -> None:
    """And nothing of it is done: the valid one is answered as before."""
    declared = operations()[name]["responses"].get("422")
    call, wrong = CALLS[name][0], list[object]()
    if call.status is not None:
        return
    assert not call.accepted or call.different, "accepting more needs a reason"
    for what, spoilt in _spoilt(name, call, await objects.fill(call.body)):
        answer = await _send(objects, name, call, **spoilt)
        if call.accepted and re.search(call.accepted, what):
            assert answer.is_success, (what, answer.text)
        elif answer.status_code != 422 or problems(declared["content"][JSON]["schema"], answer.json()):
            wrong.append((what, answer.status_code, answer.text[:200]))
    assert not wrong
    assert (await _send(objects, name, call)).is_success


@pytest.mark.parametrize("name", operations())
def test_who_may_call_is_as_declared(name: str, clients_document: dict[str, Any]) -> None:
    """Credentials of the same kinds; where more are asked for, the page says so."""
    method, path = name.lower().split(" ", 1)[0], name.partition(" ")[2]
    theirs, ours = operations()[name].get("security"), clients_document["paths"][path][method].get("security")
    assert theirs == ours or CALLS[name][-1].different


@pytest.fixture(scope="module")
def clients_document() -> dict[str, Any]:
    from bedplate.containers import ApplicationContainer
    from bedplate.wiring.http import create_app

    return create_app(ApplicationContainer()).openapi()


def _check_body(answer: httpx.Response, call: Call, content: dict[str, Any]) -> None:
    if not content:
        assert answer.content == b""
        return
    assert answer.headers["content-type"].partition(";")[0] == call.kind
    assert answer.content
    if call.kind == JSON:
        wrong = problems(content[JSON]["schema"], answer.json())
        assert [problem for problem in wrong if not (call.undeclared and re.search(call.undeclared, problem))] == []
        assert bool(wrong) == bool(call.undeclared), "the server answers as the document says"


async def _send(
    objects: Objects,
    name: str,
    call: Call,
    *,
    path: dict[str, str] | None = None,
    query: dict[str, Any] | None = None,
    request: dict[str, Any] | None = None,
) -> httpx.Response:
    """Send the valid request, but for what is given instead."""
    method, _, template = name.partition(" ")
    for needed in call.first:
        await objects(needed)
    values = {name: await objects.fill(call.path.get(name, f"{{{name}}}")) for name in re.findall(r"{(\w+)}", template)}
    address = template.format(**(values | (path or {})))
    client = objects.clients[call.by]
    cookies = "; ".join(f"{key}={value}" for key, value in (await objects.fill(dict(call.cookies))).items())
    return await client.request(
        method,
        address,
        params=await objects.fill(dict(call.query)) if query is None else query,
        follow_redirects=True,
        **{"headers": {"Cookie": cookies} if cookies else {}}
        | (await _body(objects, call) if request is None else request),
    )


async def _body(objects: Objects, call: Call) -> dict[str, Any]:
    if call.file is not None:
        return {"files": {"file": call.file}}
    if call.form is not None:
        return {"data": await objects.fill(dict(call.form))}
    return {} if call.body is None else {"json": await objects.fill(call.body)}


def _spoilt(name: str, call: Call, body: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every way to spoil the valid request, by what is declared of the operation: what is wrong, and what to send."""
    operation = operations()[name]
    for parameter in operation.get("parameters", ()):
        where, key, schema = parameter["in"], parameter["name"], parameter["schema"]
        for wrong in invalid_texts(schema):
            known = {} if where == "path" else dict(call.query)
            yield f"{where} {key}={wrong}", {where: known | {key: wrong}}
        if where == "query" and parameter.get("required"):
            yield f"{key} is missing", {"query": {}}
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from _spoilt_bodies(
            kind, content["schema"], call, body, required=operation["requestBody"].get("required")
        )


def _spoilt_bodies(
    kind: str, schema: dict[str, Any], call: Call, body: Any, *, required: bool | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    if required:
        yield "no body", {"request": {"content": b"", "headers": {"Content-Type": kind}}}
    if kind == JSON:
        yield "no JSON", {"request": {"content": b'{"name": ', "headers": {"Content-Type": kind}}}
        for where, wrong in invalid_values(schema, body):
            yield f"body{where}: {wrong}", {"request": {"json": wrong}}
    elif call.form is not None:
        for key in call.form:
            yield f"{key} is missing", {"request": {"data": {name: "x" for name in call.form if name != key}}}
        yield "no form", {"request": {"json": dict(call.form)}}
    else:
        yield "no file", {"request": {"files": {"another": ("a.txt", b"x")}}}
        yield "a text instead of a file", {"request": {"data": {"file": "x"}}}
        yield "no multipart", {"request": {"json": {"file": "x"}}}
