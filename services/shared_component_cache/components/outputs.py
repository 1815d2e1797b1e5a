"""Components that give out what a flow says."""

from collections.abc import Mapping
from typing import Any

from bedplate.services.shared_component_cache.component import Component, Field, Message, Output
from bedplate.services.shared_component_cache.component_context import ComponentContext
from bedplate.services.shared_component_cache.components.conversation import announce, sender_fields
from bedplate.services.shared_component_cache.components.template import fill
from bedplate.services.shared_component_cache.components.text import message_of, text_of

__all__ = ["ChatOutput", "TextOutput"]


class ChatOutput(Component):
    """What the flow says, as a message of the conversation."""

    type_name = "ChatOutput"
    category = "input_output"
    display_name = "Chat Output"
    description = "Display a chat message in the Playground."
    icon = "MessagesSquare"
    output_type = "chat"
    fields = (
        Field(
            name="input_value",
            type="other",
            display_name="Inputs",
            info="Message to be passed as output.",
            required=True,
            input_types=("Data", "DataFrame", "Message"),
        ),
        *sender_fields("Machine", "AI"),
        Field(
            name="data_template",
            display_name="Data Template",
            info="Template to convert Data to Text.",
            default="{text}",
            advanced=True,
            input_types=("Message",),
        ),
    )
    outputs = (Output(name="message", display_name="Output Message", method="message_response"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Announce the message; one that came over the edge is completed under its own id."""
        given = inputs.get("input_value")
        template = text_of(inputs.get("data_template")) or "{text}"
        rows = given if isinstance(given, list) else [given]
        if any(isinstance(row, Mapping) for row in rows):
            given = "\n".join(fill(template, row) if isinstance(row, Mapping) else text_of(row) for row in rows)
        return {"message": await announce(message_of(given), inputs, context)}


class TextOutput(Component):
    """A text that is a result, but no message of the conversation."""

    type_name = "TextOutput"
    category = "input_output"
    display_name = "Text Output"
    description = "Sends text output via API."
    icon = "type"
    output_type = "text"
    fields = (
        Field(
            name="input_value",
            display_name="Inputs",
            info="Text to be passed as output.",
            multiline=True,
            input_types=("Message",),
        ),
    )
    outputs = (Output(name="text", display_name="Output Text", method="text_response"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Give the text out."""
        return {"text": Message(text=text_of(inputs.get("input_value")))}
