"""The inputs of a vertex: from edges, from variables of the user, from the flow, from defaults, in this order."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from pydantic import SecretStr

from bedplate.services.errors import NotFoundError
from bedplate.services.session.runner.component import ComponentType
from bedplate.services.session.runner.document import FieldValue, FlowEdge, FlowNode
from bedplate.services.session.runner.errors import MissingInputError, MissingVariableError, UnknownOutputError
from bedplate.services.session.runner.port import SecretReader
from bedplate.services.session.runner.values import as_data

__all__ = ["VertexInputs", "gather_inputs"]

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
"""Names that are shown in errors: what has another form may be a key that somebody put in a wrong field."""


class VertexInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a vertex is built from.

    Attributes:
        values: The values by name.
        shown: Those that an event may show, as JSON-like data.
    """

    values: dict[str, Any]
    shown: dict[str, Any]


async def gather_inputs(
    node: FlowNode,
    component: ComponentType,
    edges: Sequence[FlowEdge],
    results: Mapping[str, Mapping[str, Any]],
    secret: SecretReader,
) -> VertexInputs:
    """Collect the inputs of a vertex.

    Args:
        node: The vertex.
        component: Its type.
        edges: The edges that end at it.
        results: The outputs of the vertices before it.
        secret: Reads variables of the user.

    Raises:
        MissingInputError: A field that it needs has no value.
        MissingVariableError: A field names a variable that the user does not have.
        UnknownOutputError: An edge takes an output that is not there.
    """
    declared = {field.name: field for field in component.fields}
    secrets = {name for name, field in declared.items() if field.secret}
    secrets |= {name for name, field in node.fields.items() if field.secret}
    values: dict[str, Any] = {name: None if name in secrets else field.default for name, field in declared.items()}
    hidden = set(secrets)
    connected = _connected(edges, results)
    for name, field in node.fields.items():
        if name in connected:
            continue
        if field.load_from_db and field.value:
            hidden.add(name)
        values[name] = await _value(node.id, name, field, is_secret=name in secrets, secret=secret)
    values |= connected
    for name, declaration in declared.items():
        if declaration.required and name not in connected and values.get(name) in (None, ""):
            raise MissingInputError(node.id, name)
    shown = {name: as_data(value) for name, value in values.items() if name not in hidden}
    return VertexInputs(values=values, shown=shown)


def _connected(edges: Sequence[FlowEdge], results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values that come over edges; those of several edges to one field as a list."""
    by_field: dict[str, list[Any]] = {}
    for edge in edges:
        outputs = results[edge.source]
        if edge.output not in outputs:
            raise UnknownOutputError(edge.source, edge.output)
        by_field.setdefault(edge.field, []).append(outputs[edge.output])
    return {field: found[0] if len(found) == 1 else found for field, found in by_field.items()}


async def _value(node_id: str, name: str, field: FieldValue, *, is_secret: bool, secret: SecretReader) -> Any:
    if not (field.load_from_db and field.value):
        return SecretStr(str(field.value)) if is_secret and field.value else None if is_secret else field.value
    variable = str(field.value)
    try:
        found = await secret(variable)
    except NotFoundError:
        if field.tweaked:
            # Callers give the name of a variable or the value itself, and nothing tells which.
            return SecretStr(variable) if is_secret else variable
        raise MissingVariableError(node_id, name, variable if _VARIABLE.fullmatch(variable) else None) from None
    return found if is_secret else found.get_secret_value()
