"""The Memory component."""

from collections.abc import Mapping
from typing import Any

from bedplate.services.errors import InvalidInputError
from bedplate.services.shared_component_cache.component import Component, Field, Message, Output
from bedplate.services.shared_component_cache.component_context import ComponentContext, PastMessage
from bedplate.services.shared_component_cache.components.template import fill
from bedplate.services.shared_component_cache.components.text import message_of, text_of

__all__ = ["Memory"]

_DEFAULT_LIMIT = 100


class Memory(Component):
    """Reads the messages of earlier runs of a session, or adds one to them."""

    type_name = "Memory"
    category = "helpers"
    display_name = "Message History"
    description = "Stores or retrieves stored chat messages."
    icon = "message-square-more"
    kind = "retriever"
    fields = (
        Field(name="mode", type="tab", display_name="Mode", default="Retrieve", options=("Retrieve", "Store")),
        Field(name="message", display_name="Message", info="The message to store.", input_types=("Message",)),
        Field(
            name="n_messages",
            type="int",
            display_name="Number of Messages",
            info="Number of messages to retrieve, the newest ones.",
            default=_DEFAULT_LIMIT,
            advanced=True,
        ),
        Field(
            name="sender",
            display_name="Sender",
            info="The sender of the message to store.",
            default="Machine",
            advanced=True,
            input_types=("Message",),
        ),
        Field(
            name="sender_type",
            display_name="Sender Type",
            info="Filter by sender type.",
            default="Machine and User",
            advanced=True,
            options=("Machine", "User", "Machine and User"),
        ),
        Field(
            name="sender_name",
            display_name="Sender Name",
            info="Filter by sender name.",
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
        Field(
            name="order",
            display_name="Order",
            info="Order of the messages.",
            default="Ascending",
            advanced=True,
            options=("Ascending", "Descending"),
        ),
        Field(
            name="template",
            display_name="Template",
            info="How each message is written; it can contain {text}, {sender}, {sender_name}, {session_id} and "
            "{timestamp}.",
            default="{sender_name}: {text}",
            advanced=True,
            multiline=True,
            input_types=("Message",),
        ),
    )
    outputs = (
        Output(name="messages_text", display_name="Message", method="retrieve_messages_as_text"),
        Output(name="dataframe", display_name="Dataframe", types=("DataFrame",), method="retrieve_messages_dataframe"),
    )

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Read messages, or store one."""
        if text_of(inputs.get("mode")) == "Store":
            return await self._store(inputs, context)
        sender = text_of(inputs.get("sender_type"))
        messages = await context.history(
            session_id=text_of(inputs.get("session_id")) or None,
            limit=_limit(inputs.get("n_messages")),
            newest_first=text_of(inputs.get("order")) == "Descending",
            sender=sender if sender in ("Machine", "User") else None,
            sender_name=text_of(inputs.get("sender_name")) or None,
        )
        template = text_of(inputs.get("template")) or "{text}"
        rows = [_row(message) for message in messages]
        return {
            "messages_text": Message(text="\n".join(fill(template, row) for row in rows)),
            "dataframe": rows,
        }

    async def _store(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        message = message_of(inputs.get("message"))
        sender = text_of(inputs.get("sender")) or message.sender or "Machine"
        await context.emit_message(
            message.text,
            sender=sender,
            sender_name=text_of(inputs.get("sender_name")) or message.sender_name or sender,
            session_id=text_of(inputs.get("session_id")) or None,
        )
        return {"messages_text": Message(text=message.text), "dataframe": []}


def _limit(value: Any) -> int:
    try:
        return max(int(value), 0)
    except (TypeError, ValueError):
        raise InvalidInputError(
            "the number of messages of a Message History is no number",
            service="shared_component_cache",
            fix="set n_messages to a whole number",
        ) from None


def _row(message: PastMessage) -> dict[str, str]:
    return {
        "text": message.text,
        "sender": message.sender,
        "sender_name": message.sender_name,
        "session_id": message.session_id,
        "timestamp": message.timestamp.isoformat(timespec="seconds"),
    }
