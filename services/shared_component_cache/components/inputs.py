"""Components that bring in what a caller says."""

from collections.abc import Mapping
from typing import Any

from bedplate.services.shared_component_cache.component import Component, Field, Message, Output
from bedplate.services.shared_component_cache.component_context import ComponentContext
from bedplate.services.shared_component_cache.components.conversation import announce, sender_fields
from bedplate.services.shared_component_cache.components.text import text_of

__all__ = ["ChatInput", "TextInput"]


class ChatInput(Component):
    """What the user says, as a message of the conversation."""

    type_name = "ChatInput"
    category = "input_output"
    display_name = "Chat Input"
    description = "Get chat inputs from the Playground."
    icon = "MessagesSquare"
    input_type = "chat"
    fields = (
        Field(
            name="input_value",
            display_name="Input Text",
            info="Message to be passed as input.",
            multiline=True,
        ),
        *sender_fields("User", "User"),
        Field(
            name="files",
            type="file",
            display_name="Files",
            info="Files to be sent with the message.",
            advanced=True,
            list=True,
        ),
    )
    outputs = (Output(name="message", display_name="Chat Message", method="message_response"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Announce the message."""
        files = inputs.get("files") or ()
        message = Message(
            text=text_of(inputs.get("input_value")),
            files=tuple(map(str, [files] if isinstance(files, str) else files)),
        )
        return {"message": await announce(message, inputs, context)}


class TextInput(Component):
    """A text that is no message of the conversation."""

    type_name = "TextInput"
    category = "input_output"
    display_name = "Text Input"
    description = "Get user text inputs."
    icon = "type"
    input_type = "text"
    fields = (
        Field(
            name="input_value",
            display_name="Text",
            info="Text to be passed as input.",
            multiline=True,
            input_types=("Message",),
        ),
    )
    outputs = (Output(name="text", display_name="Output Text", method="text_response"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Pass the text on."""
        return {"text": Message(text=text_of(inputs.get("input_value")))}
