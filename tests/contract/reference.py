"""The document of the REST contract, as tests read it: its operations, and what its schemas refuse."""

import copy
import functools
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema

__all__ = ["document", "invalid_texts", "invalid_values", "matches", "operations", "problems"]

Schema = dict[str, Any]

_FORMATS = jsonschema.FormatChecker(("uuid",))


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value) is not None


_NO_SUCH = "no such value"
_WRONG: tuple[Any, ...] = (_NO_SUCH, -7, [[]], {"no": {"such": "value"}})
"""One value of each JSON type that no lenient reading turns into another type."""


@functools.cache
def document() -> dict[str, Any]:
    """The document; empty where it is not at hand."""
    folder = os.environ.get("BEDPLATE_REFERENCE_DIR")
    if not folder:
        return {"paths": {}, "components": {"schemas": {}}}
    read: dict[str, Any] = json.loads((Path(folder) / "contract" / "openapi.json").read_text())
    return read


def operations() -> dict[str, dict[str, Any]]:
    """What is declared of each operation, by a name such as ``"GET /health"``."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }


def problems(schema: Schema, value: Any) -> list[str]:
    """Where a value is not what the schema says."""
    whole = {**schema, "components": document()["components"]}
    validator = jsonschema.Draft202012Validator(whole, format_checker=_FORMATS)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def matches(schema: Schema, value: Any) -> bool:
    """Whether a value is what the schema says."""
    return not problems(schema, value)


def invalid_texts(schema: Schema) -> Iterator[str]:
    """Values of a parameter, as it stands in an address, that the schema refuses."""
    branches = _branches(schema)
    if any(branch.get("type") == "string" and not branch.keys() & {"format", "enum", "pattern"} for branch in branches):
        return
    if any(branch.get("type") == "array" for branch in branches):
        return
    yield _NO_SUCH
    for branch in branches:
        if "minimum" in branch:
            yield str(branch["minimum"] - 1)
        if "maximum" in branch:
            yield str(branch["maximum"] + 1)


def invalid_values(schema: Schema, example: Any = None) -> Iterator[tuple[str, Any]]:
    """Values of a body that the schema refuses, each with the place in it that is wrong.

    Args:
        schema: The schema.
        example: A value that it accepts, to be spoilt in one place at a time; None: the smallest one.
    """
    takes_time = any(branch.get("format") == "date-time" for branch in _branches(schema))
    for wrong in _WRONG:
        if not matches(schema, wrong) and not (takes_time and wrong == -7):  # a number may stand for a time
            yield "", wrong
    for branch in _branches(schema):
        if branch.get("type") == "array":
            yield from ((f"[]{where}", [wrong]) for where, wrong in invalid_values(branch.get("items", {})))
        if branch.get("type") == "object":
            whole = example if isinstance(example, dict) else _smallest(branch)
            yield from _invalid_members(branch, whole)


def _invalid_members(schema: Schema, example: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in schema.get("required", ()):
        yield f".{name} is missing", {key: value for key, value in example.items() if key != name}
    for name, member in schema.get("properties", {}).items():
        for where, wrong in invalid_values(member):
            yield f".{name}{where}", {**copy.deepcopy(example), name: wrong}


def _smallest(schema: Schema) -> Any:
    """The smallest value that a schema accepts."""
    branch = _branches(schema)[0]
    if "enum" in branch:
        return branch["enum"][0]
    if branch.get("type") == "object":
        properties = branch.get("properties", {})
        return {name: _smallest(properties[name]) for name in branch.get("required", ())}
    if branch.get("format") == "uuid":
        return "00000000-0000-0000-0000-000000000000"
    return {"array": [], "boolean": False, "integer": 1, "null": None, "number": 1, "string": "x"}.get(
        branch.get("type", "null")
    )


def _branches(schema: Schema) -> list[Schema]:
    """The alternatives of a schema, references followed."""
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return [branch for inner in schema.get("anyOf", ()) for branch in _branches(inner)] or [schema]
