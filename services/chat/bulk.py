"""Many messages at once: checked and written in chunks, so that the event loop goes on between them."""

import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from bedplate.services.chat.errors import MessageTooLargeError
from bedplate.services.chat.models import NewMessage
from bedplate.services.chat.validation import checked_message
from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import ForeignKeyViolationError, UniqueViolationError
from bedplate.services.database.models import new_id, utc_now
from bedplate.services.database.repositories.chat import ChatRepository
from bedplate.services.database.violations import violations
from bedplate.services.errors import ConflictError, NotFoundError
from bedplate.services.settings.groups.chat import ChatSettings

__all__ = ["store_all"]

_CHUNK = 100
"""Messages of a chunk: what takes a few milliseconds to check and to prepare."""


async def store_all(
    database: DatabaseService, settings: ChatSettings, user_id: uuid.UUID, messages: Iterable[NewMessage]
) -> int:
    """Store new messages of a user in one transaction; how many there were.

    Raises:
        InvalidInputError: A message cannot be stored.
        MessageTooLargeError: Something is over a limit, or there are too many.
        NotFoundError: A flow is not the user's, or the user is not there.
        ConflictError: A message with one of the ids is there.
    """
    count = 0
    flows: set[uuid.UUID] = set()
    try:
        async with database.transaction() as session:
            repository = ChatRepository(session)
            for chunk in _chunks(messages):
                count += len(chunk)
                if count > settings.max_import:
                    raise MessageTooLargeError("there are too many messages", f"{settings.max_import}", "MAX_IMPORT")
                named = {message.flow_id for message in chunk if message.flow_id is not None} - flows
                if named - await repository.owned_flows(user_id, named):
                    raise NotFoundError("the flow of the message is not there", service="chat")
                flows |= named
                rows = [_row(user_id, checked_message(message, settings)) for message in chunk]
                with violations():
                    await repository.insert(rows)
    except ForeignKeyViolationError as error:
        raise NotFoundError("the user of the message is not there", service="chat") from error
    except UniqueViolationError as error:
        raise ConflictError(
            "a message with one of the ids is there already", service="chat", fix="leave the ids out, or that message"
        ) from error
    return count


def _chunks(messages: Iterable[NewMessage]) -> Iterator[Sequence[NewMessage]]:
    rest = iter(messages)
    while chunk := list(itertools.islice(rest, _CHUNK)):
        yield chunk


def _row(user_id: uuid.UUID, message: NewMessage) -> dict[str, Any]:
    row = msgspec.structs.asdict(message)
    row["id"] = message.id or new_id()
    row["user_id"] = user_id
    row["timestamp"] = message.timestamp or utc_now()
    row["status"] = message.status.value
    row["edit"] = False
    return row
