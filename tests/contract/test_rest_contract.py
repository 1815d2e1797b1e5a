"""The routes and shapes that existing clients rely on."""

from typing import Any

import pytest
from tests.contract.reference import document

from bedplate.containers import ApplicationContainer
from bedplate.wiring.http import create_app

pytestmark = pytest.mark.reference


def _operations() -> list[tuple[str, str]]:
    return [(method, path) for path, methods in document()["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    return create_app(ApplicationContainer()).openapi()


@pytest.mark.parametrize(("method", "path"), _operations())
def test_operation_has_the_declared_status_parameters_and_shape(
    method: str, path: str, contract: dict[str, Any], ours: dict[str, Any]
) -> None:
    theirs = contract["paths"][path][method]
    operation = ours["paths"].get(path, {}).get(method)
    assert operation is not None, f"{method.upper()} {path} is missing"
    success = {status for status in theirs["responses"] if status.startswith("2")}
    if path in ("/logs", "/logs-stream"):  # switched off in both
        success = set()
    if "/folders/" in path:  # answered by a redirect
        return
    assert success <= set(operation["responses"])
    names = {(item["in"], item["name"]) for item in operation.get("parameters", [])}
    assert {(item["in"], item["name"]) for item in theirs.get("parameters", [])} <= names
    for status in success:
        expected = _schema(theirs["responses"][status])
        _same(expected, _schema(operation["responses"][status]), contract, ours, f"{method} {path} {status}")
    for kind, body in theirs.get("requestBody", {}).get("content", {}).items():
        actual = operation["requestBody"]["content"][kind]["schema"]
        _same(body["schema"], actual, contract, ours, f"{method} {path} body")


def _schema(response: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = response.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _branches(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []


def _types(schema: dict[str, Any], document: dict[str, Any]) -> set[str]:
    schema = _resolve(schema, document)
    if branches := _branches(schema):
        return set().union(*(_types(branch, document) for branch in branches))
    if "enum" in schema or "const" in schema:
        return {"string"}
    return {schema.get("type", "any")}


def _objects(schema: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    schema = _resolve(schema, document)
    found = [item for branch in _branches(schema) for item in _objects(branch, document)]
    if schema.get("type") == "array":
        found += _objects(schema.get("items", {}), document)
    if "properties" in schema:
        found.append(schema)
    return found


def _same(
    theirs: dict[str, Any], ours: dict[str, Any], contract: dict[str, Any], own: dict[str, Any], where: str
) -> None:
    """Every type that the contract names, and every member of its objects, has a counterpart."""
    _same_types(theirs, ours, contract, own, where)
    known: dict[str, list[dict[str, Any]]] = {}
    for item in _objects(ours, own):
        for name, member in item["properties"].items():
            known.setdefault(name, []).append(member)
    for item in _objects(theirs, contract):
        for name, member in item["properties"].items():
            assert name in known, f"{where}: {name} is missing"
            _same_types(member, {"anyOf": known[name]}, contract, own, f"{where}.{name}")


def _same_types(
    theirs: dict[str, Any], ours: dict[str, Any], contract: dict[str, Any], own: dict[str, Any], where: str
) -> None:
    expected, actual = _types(theirs, contract), _types(ours, own)
    if "any" not in expected and "any" not in actual:
        assert expected - {"null"} <= actual, f"{where}: {expected} against {actual}"
