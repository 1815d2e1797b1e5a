"""Sessions that go on from a message of another one."""

import secrets
import uuid
from datetime import datetime
from typing import Final

from bedplate.services.chat.errors import MessageNotFoundError, MessageTooLargeError, SessionExistsError
from bedplate.services.chat.models import Fork
from bedplate.services.database import DatabaseService
from bedplate.services.database.locks import lock_user
from bedplate.services.database.models import new_id
from bedplate.services.database.repositories.chat import ChatRepository

__all__ = ["fork"]

_ID_BYTES: Final = 24
_AT_ONCE: Final = 500


async def fork(
    database: DatabaseService, user_id: uuid.UUID, message_id: uuid.UUID, session_id: str | None, most: int
) -> Fork:
    """Copy the messages of a session up to one into a new session, all or nothing.

    Args:
        database: Where messages are kept.
        user_id: The owner.
        message_id: The last message to be copied.
        session_id: The new session; None makes a name that cannot be guessed.
        most: Most messages that are copied.
    """
    name = session_id or secrets.token_urlsafe(_ID_BYTES)
    async with database.transaction() as session:
        repository = ChatRepository(session)
        last = await repository.get(user_id, message_id)
        if last is None:
            raise MessageNotFoundError(message_id)
        await lock_user(session, user_id)
        if await repository.has_messages(user_id, name):
            raise SessionExistsError(name)
        count = await repository.count_up_to(user_id, last)
        if count > most:
            raise MessageTooLargeError(
                f"the session has {count} messages up to that one", f"{most} messages", "MAX_FORK_MESSAGES"
            )
        start: tuple[datetime, uuid.UUID] | None = None
        copied = 0
        while rows := await repository.up_to(user_id, last, start, _AT_ONCE):
            start = (rows[-1]["timestamp"], rows[-1]["id"])
            # Ids are made in order, so that messages of the same moment keep theirs.
            await repository.insert([row | {"id": new_id(), "session_id": name} for row in rows])
            copied += len(rows)
    return Fork(session_id=name, origin=last.session_id, messages=copied)
