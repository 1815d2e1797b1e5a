"""What the components that take part in the conversation have in common."""

from collections.abc import Mapping
from typing import Any

import msgspec

from bedplate.services.shared_component_cache.component import Field, Message
from bedplate.services.shared_component_cache.component_context import ComponentContext
from bedplate.services.shared_component_cache.components.text import text_of

__all__ = ["announce", "sender_fields"]

_COLOURS = {"background_color": "background_color", "chat_icon": "icon", "text_color": "text_color"}


def sender_fields(sender: str, sender_name: str) -> tuple[Field, ...]:
    """The fields that say who speaks and how that looks, with these defaults."""
    return (
        Field(
            name="should_store_message",
            type="bool",
            display_name="Store Messages",
            info="Store the message in the history.",
            default=True,
            advanced=True,
        ),
        Field(
            name="sender",
            display_name="Sender Type",
            info="Type of sender.",
            default=sender,
            advanced=True,
            options=("Machine", "User"),
        ),
        Field(
            name="sender_name",
            display_name="Sender Name",
            info="Name of the sender.",
            default=sender_name,
            advanced=True,
            input_types=("Message",),
        ),
        Field(
            name="session_id",
            display_name="Session ID",
            info="The session ID of the chat. If empty, the current session ID parameter will be used.",
            advanced=True,
            input_types=("Message",),
        ),
        *(
            Field(name=name, display_name=name.replace("_", " ").title(), advanced=True, input_types=("Message",))
            for name in _COLOURS
        ),
    )


async def announce(message: Message, inputs: Mapping[str, Any], context: ComponentContext) -> Message:
    """Announce a message as the sender fields say, and return it as it was announced."""
    look = {key: text for name, key in _COLOURS.items() if (text := text_of(inputs.get(name)))}
    said = msgspec.structs.replace(
        message,
        sender=text_of(inputs.get("sender")),
        sender_name=text_of(inputs.get("sender_name")),
        session_id=text_of(inputs.get("session_id")) or message.session_id,
        properties=message.properties | look,
    )
    message_id = await context.emit_message(
        said.text,
        sender=said.sender,
        sender_name=said.sender_name,
        message_id=said.id,
        session_id=said.session_id or None,
        files=said.files,
        properties=said.properties,
        store=bool(inputs.get("should_store_message", True)),
    )
    return msgspec.structs.replace(said, id=message_id, session_id=said.session_id or context.session_id)
