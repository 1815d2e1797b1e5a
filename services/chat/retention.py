"""Which messages are kept no longer."""

import uuid
from collections.abc import Sequence
from datetime import timedelta

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.chat import ChatRepository
from bedplate.services.settings.groups.chat import ChatSettings

__all__ = ["Dropped", "drop_some"]

Dropped = Sequence[tuple[uuid.UUID, uuid.UUID, str]]
"""Id, owner and session of each message."""


async def drop_some(database: DatabaseService, settings: ChatSettings, limit: int) -> Dropped:
    """Delete some messages that are older or more than the settings allow, in one transaction; none when all is well.

    Args:
        database: Where messages are kept.
        settings: What is kept.
        limit: Most messages.
    """
    async with database.transaction() as session:
        repository = ChatRepository(session)
        dropped: Dropped = ()
        if settings.retention:
            dropped = await repository.delete_before(utc_now() - timedelta(seconds=settings.retention), limit)
        if not dropped and settings.max_messages:
            dropped = await repository.delete_over(settings.max_messages, limit)
        if not dropped and settings.max_messages_per_session:
            dropped = await repository.delete_over_each(settings.max_messages_per_session, "session", limit)
        if not dropped and settings.max_messages_per_user:
            dropped = await repository.delete_over_each(settings.max_messages_per_user, "user", limit)
    return dropped
