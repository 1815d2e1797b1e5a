"""A component type as editors of flows read it."""

from typing import Any

from bedplate.services.shared_component_cache.component import Component, Field, Output
from bedplate.services.shared_component_cache.errors import InvalidComponentError

__all__ = ["check_component", "definition"]


def check_component(component: object) -> None:
    """Refuse a class that declares too little to be used in a flow.

    Raises:
        InvalidComponentError: Saying what is missing.
    """
    if not isinstance(component, type) or not issubclass(component, Component):
        raise InvalidComponentError(repr(component), "it is no subclass of Component")
    where = f"{component.__module__}.{component.__qualname__}"
    name = getattr(component, "type_name", "")
    if not isinstance(name, str) or not name.isidentifier():
        raise InvalidComponentError(where, "its type_name is no identifier")
    if component.build is Component.build:
        raise InvalidComponentError(where, "it does not override build()")
    if not component.outputs:
        raise InvalidComponentError(where, "it has no outputs")
    for kind, names in (
        ("field", [field.name for field in component.fields]),
        ("output", [output.name for output in component.outputs]),
    ):
        if len(set(names)) != len(names):
            raise InvalidComponentError(where, f"two {kind}s have the same name")


def definition(component: type[Component]) -> dict[str, Any]:
    """The definition of a type: the ``node`` that a flow document carries for each of its nodes, with defaults."""
    return {
        "template": {"_type": "Component"} | {field.name: _field(field) for field in component.fields},
        "description": component.description,
        "icon": component.icon,
        "base_classes": sorted({kind for output in component.outputs for kind in output.types}),
        "display_name": component.display_name or component.type_name,
        "documentation": component.documentation,
        "custom_fields": {},
        "output_types": [],
        "pinned": False,
        "conditional_paths": [],
        "frozen": False,
        "outputs": [_output(output) for output in component.outputs],
        "field_order": [field.name for field in component.fields],
        "beta": False,
        "legacy": False,
        "edited": False,
        "metadata": {},
        "tool_mode": False,
    }


def _title(name: str) -> str:
    return name.replace("_", " ").title()


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "type": field.type,
        "display_name": field.display_name or _title(field.name),
        "info": field.info,
        "required": field.required,
        "value": field.default,
        "advanced": field.advanced,
        "show": field.show,
        "multiline": field.multiline,
        "password": field.secret,
        "load_from_db": field.secret,
        "list": field.list,
        "input_types": list(field.input_types),
        "options": list(field.options),
        "fileTypes": list(field.file_types),
        "placeholder": "",
        "dynamic": False,
        "title_case": False,
    }


def _output(output: Output) -> dict[str, Any]:
    return {
        "name": output.name,
        "display_name": output.display_name or _title(output.name),
        "types": list(output.types),
        "selected": output.types[0] if output.types else None,
        "method": output.method,
        "cache": True,
        "value": "__UNDEFINED__",
    }
