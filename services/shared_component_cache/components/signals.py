"""The Notify and Listen components: a value's way through a flow without an edge."""

from collections.abc import Mapping
from typing import Any

import msgspec

from bedplate.services.errors import InvalidInputError
from bedplate.services.shared_component_cache.component import Component, Field, Message, Output
from bedplate.services.shared_component_cache.component_context import ComponentContext
from bedplate.services.shared_component_cache.components.text import text_of

__all__ = ["Listen", "Notify"]


class Notify(Component):
    """Writes a value to the state of the run."""

    type_name = "Notify"
    category = "logic"
    display_name = "Notify"
    description = "A component to generate a notification to Get Notified component."
    icon = "Notify"
    kind = "tool"
    writes_state = "context_key"
    fields = (
        Field(
            name="context_key",
            display_name="Context Key",
            info="The key of the context to store the notification.",
            required=True,
        ),
        Field(
            name="input_value",
            type="other",
            display_name="Input Data",
            info="The data to store.",
            input_types=("Data", "Message", "DataFrame"),
        ),
        Field(
            name="append",
            type="bool",
            display_name="Append",
            info="If True, the record will be appended to the notification.",
            default=False,
        ),
    )
    outputs = (Output(name="result", display_name="Data", types=("Data",), method="notify_components"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Write it, and pass it on."""
        key, value = text_of(inputs["context_key"]), inputs.get("input_value")
        if inputs.get("append"):
            await context.state.append(key, _data(value))
        else:
            await context.state.set(key, _data(value))
        return {"result": value}


class Listen(Component):
    """Reads a value from the state of the run, when all Notify components of the flow with its key are done."""

    type_name = "Listen"
    category = "logic"
    display_name = "Listen"
    description = "A component to listen for a notification."
    icon = "Radio"
    kind = "tool"
    reads_state = "context_key"
    fields = (
        Field(
            name="context_key",
            display_name="Context Key",
            info="The key of the context to listen for.",
            required=True,
            input_types=("Message",),
        ),
    )
    outputs = (Output(name="data", display_name="Data", types=("Data",), method="listen_for_data"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Read it; an empty text if nobody has written any."""
        value = await context.state.get(text_of(inputs["context_key"]), "")
        return {"data": Message(text=value) if isinstance(value, str) else value}


def _data(value: Any) -> Any:
    """What components pass on, as data that outlives them: a message as its text."""
    if isinstance(value, Message):
        return value.text
    try:
        return msgspec.to_builtins(value, str_keys=True)
    except (TypeError, ValueError, RecursionError):
        raise InvalidInputError(
            f"a Notify cannot keep a value of type {type(value).__name__}",
            service="shared_component_cache",
            fix="connect an output that gives a message, text or data",
        ) from None
