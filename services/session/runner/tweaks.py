"""Values that a caller of a run uses instead of the flow's own."""

from collections.abc import Mapping
from typing import Any

import msgspec

from bedplate.services.session.runner.document import FieldValue, FlowNode
from bedplate.services.session.runner.port import RunInputs

__all__ = ["apply_input", "apply_tweaks"]


def apply_tweaks(nodes: Mapping[str, FlowNode], tweaks: Mapping[str, Any]) -> dict[str, FlowNode]:
    """The nodes with other values; those given are not changed.

    A tweak whose value is a mapping is for the node of that id, else for those of that display name, else for those
    of that component name; any other value is for the field of that name in every node that has it. For a field, a
    mapping sets ``value``, ``load_from_db`` or ``file_path``; any other value is the value. What names nothing is
    left out, as clients of the REST contract expect.

    Args:
        nodes: The nodes by id.
        tweaks: As in :class:`~bedplate.services.session.runner.port.RunInputs`.
    """
    tweaked = dict(nodes)
    for key, tweak in tweaks.items():
        if isinstance(tweak, Mapping) and (targets := _named(nodes, key)):
            changes = tweak
        else:
            changes, targets = {key: tweak}, list(nodes)
        for node_id in targets:
            tweaked[node_id] = _with(tweaked[node_id], changes)
    return tweaked


def apply_input(
    nodes: Mapping[str, FlowNode], inputs: RunInputs, input_types: Mapping[str, str | None]
) -> dict[str, FlowNode]:
    """The nodes, with the caller's input in the input components that it is for.

    Args:
        nodes: The nodes by id.
        inputs: What the caller asks.
        input_types: Which input of a run each component type takes.
    """
    filled = dict(nodes)
    for node in nodes.values():
        takes = input_types[node.component]
        if takes is None or (inputs.components and not {node.id, node.display_name} & set(inputs.components)):
            continue
        changes: dict[str, Any] = {}
        if inputs.input_value is not None and inputs.input_type in ("any", takes):
            changes["input_value"] = inputs.input_value
        if inputs.files and takes == "chat":
            changes["files"] = list(inputs.files)
        fields = {name: FieldValue(value=value) for name, value in changes.items()}
        filled[node.id] = msgspec.structs.replace(node, fields=node.fields | fields)
    return filled


def _named(nodes: Mapping[str, FlowNode], key: str) -> list[str]:
    if key in nodes:
        return [key]
    by_display = [node.id for node in nodes.values() if node.display_name == key]
    return by_display or [node.id for node in nodes.values() if node.component == key]


def _with(node: FlowNode, changes: Mapping[str, Any]) -> FlowNode:
    fields = {name: _tweaked(node.fields[name], change) for name, change in changes.items() if name in node.fields}
    return msgspec.structs.replace(node, fields=node.fields | fields) if fields else node


def _tweaked(field: FieldValue, change: Any) -> FieldValue:
    if not isinstance(change, Mapping) or field.type in ("dict", "NestedDict"):
        return msgspec.structs.replace(field, value=change, tweaked=True)
    value = change.get("file_path", change.get("value", field.value))
    load_from_db = bool(change.get("load_from_db", field.load_from_db))
    return msgspec.structs.replace(field, value=value, load_from_db=load_from_db, tweaked=True)
