"""The component that receives webhooks."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from bedplate.services.shared_component_cache.component import Component, Field, Output
from bedplate.services.shared_component_cache.component_context import ComponentContext

__all__ = ["Webhook"]


class Webhook(Component):
    """What another system sent to the flow's webhook."""

    type_name = "Webhook"
    category = "input_output"
    display_name = "Webhook"
    description = "Receives what other systems send to the webhook of the flow."
    icon = "webhook"
    fields = (
        Field(
            name="data",
            display_name="Payload",
            info="What a run without a webhook takes for the payload.",
            multiline=True,
            advanced=True,
        ),
    )
    outputs = (Output(name="output_data", display_name="Data", types=("Data",), method="build_data"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Read the payload: a JSON object is itself, anything else is the ``payload`` of one."""
        payload = inputs.get("data")
        if isinstance(payload, str) and payload:
            with suppress(msgspec.DecodeError, RecursionError):  # a text that is no JSON is its own value
                payload = msgspec.json.decode(payload)
        if not isinstance(payload, Mapping):
            payload = {"payload": payload} if payload else {}
        return {"output_data": dict(payload)}
