"""Reading messages: one, a list, a session's history, and what a search finds."""

import uuid
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from bedplate.services.chat.errors import MessageNotFoundError, SessionNotFoundError
from bedplate.services.chat.export import ExportFormat, exported
from bedplate.services.chat.models import Message, MessageOrder, MessagePage, SearchHit, SearchOrder, SearchPage
from bedplate.services.chat.query import parsed_query
from bedplate.services.chat.rows import message_of
from bedplate.services.chat.snippets import snippet_of
from bedplate.services.database import DatabaseService
from bedplate.services.database.repositories.chat import ChatRepository, MessageFilter
from bedplate.services.database.repositories.chat_search import Found, MessageSearch
from bedplate.services.database.repositories.cursor import (
    decode_cursor,
    decode_score_cursor,
    encode_cursor,
    encode_score_cursor,
)
from bedplate.services.settings.groups.chat import ChatSettings

__all__ = ["MessageReader"]


class MessageReader:
    """Reads the messages of one user at a time.

    Args:
        database: Where messages are kept.
        settings: The limits.
    """

    def __init__(self, database: DatabaseService, settings: ChatSettings) -> None:
        self._database = database
        self._settings = settings

    async def get(self, user_id: uuid.UUID, message_id: uuid.UUID) -> Message:
        """A message.

        Raises:
            MessageNotFoundError: There is none with this id, or it is somebody else's.
        """
        async with self._database.session() as session:
            row = await ChatRepository(session).get(user_id, message_id)
        if row is None:
            raise MessageNotFoundError(message_id)
        return message_of(row)

    async def list(
        self,
        user_id: uuid.UUID,
        *,
        flow_id: uuid.UUID | None = None,
        session_id: str | None = None,
        sender: str | None = None,
        sender_name: str | None = None,
        order: MessageOrder = MessageOrder.OLDEST_FIRST,
        limit: int = 100,
        cursor: str | None = None,
    ) -> MessagePage:
        """Messages of a user by time and then id.

        Args:
            user_id: The owner.
            flow_id: Only those of this flow.
            session_id: Only those of this session.
            sender: Only those of this sender.
            sender_name: Only those of a sender of this name.
            order: Oldest or newest first.
            limit: Most messages in the page, 1 to ``max_page``.
            cursor: ``next_cursor`` of the page before, of the same list.

        Raises:
            InvalidInputError: The cursor was not made here.
        """
        which = MessageFilter(flow_id=flow_id, session_id=session_id, sender=sender, sender_name=sender_name)
        start = None if cursor is None else decode_cursor(cursor, service="chat")
        limit = max(1, min(limit, self._settings.max_page))
        async with self._database.session() as session:
            rows = await ChatRepository(session).page(
                user_id, which, newest_first=order is MessageOrder.NEWEST_FIRST, start=start, limit=limit + 1
            )
        items = tuple(message_of(row) for row in rows[:limit])
        more = len(rows) > limit
        return MessagePage(items=items, next_cursor=encode_cursor(items[-1].timestamp, items[-1].id) if more else None)

    async def history(
        self,
        user_id: uuid.UUID,
        session_id: str,
        *,
        flow_id: uuid.UUID | None = None,
        sender: str | None = None,
        sender_name: str | None = None,
        without_run: uuid.UUID | None = None,
        without_errors: bool = False,
        limit: int | None = None,
    ) -> Sequence[Message]:
        """The newest messages of a session, oldest first.

        Args:
            user_id: The owner.
            session_id: The session.
            flow_id: Only those of this flow.
            sender: Only those of this sender.
            sender_name: Only those of a sender of this name.
            without_run: Not those that this run made.
            without_errors: Not those that report an error.
            limit: Most messages; None: ``max_page``, which is also the most.
        """
        which = MessageFilter(
            flow_id=flow_id,
            session_id=session_id,
            sender=sender,
            sender_name=sender_name,
            without_run=without_run,
            without_errors=without_errors,
        )
        most = self._settings.max_page
        limit = most if limit is None else max(0, min(limit, most))
        async with self._database.session() as session:
            rows = await ChatRepository(session).page(user_id, which, newest_first=True, start=None, limit=limit)
        return [message_of(row) for row in reversed(rows)]

    async def sessions(
        self, user_id: uuid.UUID, flow_id: uuid.UUID | None = None, *, limit: int | None = None
    ) -> Sequence[str]:
        """Ids of the sessions that have messages, the latest active first; at most ``max_page``."""
        most = self._settings.max_page
        limit = most if limit is None else max(1, min(limit, most))
        async with self._database.session() as session:
            return await ChatRepository(session).sessions(user_id, flow_id, limit)

    async def search(
        self,
        user_id: uuid.UUID,
        text: str,
        *,
        flow_id: uuid.UUID | None = None,
        session_id: str | None = None,
        sender: str | None = None,
        order: SearchOrder = SearchOrder.BEST_FIRST,
        limit: int = 20,
        cursor: str | None = None,
    ) -> SearchPage:
        """Messages of a user that hold certain words, in their first 100,000 characters.

        Args:
            user_id: The owner.
            text: All words must be there, in any case and order. ``"…"`` keeps words together, ``word*`` matches what
                begins so, ``-word`` and ``-"…"`` must not be there; nothing else has a meaning.
            flow_id: Only those of this flow.
            session_id: Only those of this session.
            sender: Only those of this sender.
            order: The best matches or the newest first. How good a match is follows from that message alone.
            limit: Most messages in the page, 1 to ``max_page``.
            cursor: ``next_cursor`` of the page before, of the same search.

        Raises:
            InvalidInputError: There is no word to look for, there are too many, or the cursor was not made here.
        """
        query = parsed_query(text, self._settings.max_search_chars)
        by_score = order is SearchOrder.BEST_FIRST
        after: tuple[float | datetime, uuid.UUID] | None = None
        if cursor is not None:
            after = (decode_score_cursor if by_score else decode_cursor)(cursor, service="chat")
        limit = max(1, min(limit, self._settings.max_page))
        which = MessageFilter(flow_id=flow_id, session_id=session_id, sender=sender)
        async with self._database.session() as session:
            search = MessageSearch(session, user_id)
            found = await search.page(query, which, after=after, by_score=by_score, limit=limit + 1)
        hits = tuple(_hit(one, search.marks) for one in found[:limit])
        if len(found) <= limit:
            return SearchPage(items=hits, next_cursor=None)
        last = hits[-1]
        if by_score:
            return SearchPage(items=hits, next_cursor=encode_score_cursor(last.score, last.message.id))
        return SearchPage(items=hits, next_cursor=encode_cursor(last.message.timestamp, last.message.id))

    async def export(
        self, user_id: uuid.UUID, session_id: str, form: ExportFormat = ExportFormat.JSON
    ) -> AsyncGenerator[bytes, None]:
        """A session as a document, in pieces, of which one page of messages at a time is held.

        Args:
            user_id: The owner.
            session_id: The session.
            form: JSON (RFC 8259), with all that is known of each message, or Markdown (CommonMark) for people.

        Returns:
            The document in UTF-8. Messages that are stored meanwhile are in it, if they come after those already read.

        Raises:
            SessionNotFoundError: The user has no messages in it.
        """
        first = await self.list(user_id, session_id=session_id, limit=self._settings.export_page)
        if not first.items:
            raise SessionNotFoundError(session_id)

        async def pages() -> AsyncGenerator[Sequence[Message], None]:
            page = first
            yield page.items
            while page.next_cursor is not None:
                page = await self.list(
                    user_id, session_id=session_id, limit=self._settings.export_page, cursor=page.next_cursor
                )
                yield page.items

        return exported(session_id, pages(), form)


def _hit(found: Found, marks: tuple[str, str]) -> SearchHit:
    return SearchHit(message=message_of(found.row), score=found.score, snippet=snippet_of(found.snippet, marks))
