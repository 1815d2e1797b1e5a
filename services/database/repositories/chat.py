"""Queries of the chat service."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, FlowRow, MessageRow, metadata
from bedplate.services.database.repositories.cursor import beyond

__all__ = ["ChatRepository", "MessageFilter", "conditions"]


_messages = metadata.tables[f"{PREFIX}message"]


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of a user; None does not filter.

    Attributes:
        flow_id: Of this flow.
        session_id: Of this session.
        sender: Of this sender.
        sender_name: Of a sender of this name.
        without_run: Not made by this run.
        without_errors: Not reporting an error.
    """

    flow_id: uuid.UUID | None = None
    session_id: str | None = None
    sender: str | None = None
    sender_name: str | None = None
    without_run: uuid.UUID | None = None
    without_errors: bool = False


class ChatRepository:
    """Rows of chat messages."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def owned_flows(self, user_id: uuid.UUID, flow_ids: set[uuid.UUID]) -> set[uuid.UUID]:
        """Those of the flows that are this user's."""
        if not flow_ids:
            return set()
        statement = select(FlowRow.id).where(FlowRow.user_id == user_id, col(FlowRow.id).in_(flow_ids))
        return set((await self._session.exec(statement)).all())

    async def by_ids(self, message_ids: set[uuid.UUID]) -> dict[uuid.UUID, MessageRow]:
        """The messages with these ids, whoever owns them."""
        if not message_ids:
            return {}
        rows = await self._session.exec(select(MessageRow).where(col(MessageRow.id).in_(message_ids)))
        return {row.id: row for row in rows}

    async def get(self, user_id: uuid.UUID, message_id: uuid.UUID) -> MessageRow | None:
        """A message of this user."""
        statement = select(MessageRow).where(MessageRow.id == message_id, MessageRow.user_id == user_id)
        return (await self._session.exec(statement)).one_or_none()

    async def save(self, rows: Sequence[MessageRow]) -> None:
        """Add or change messages."""
        self._session.add_all(rows)
        await self._session.flush()

    async def insert(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add new messages, given as their columns, in bulk."""
        connection = await self._session.connection()
        await connection.execute(sa.insert(_messages), rows)

    async def page(
        self,
        user_id: uuid.UUID,
        which: MessageFilter,
        *,
        newest_first: bool,
        start: tuple[datetime, uuid.UUID] | None,
        limit: int,
    ) -> Sequence[MessageRow]:
        """Messages of this user by time and id, beginning behind ``start``."""
        key = (col(MessageRow.timestamp), col(MessageRow.id))
        statement = select(MessageRow).where(*conditions(user_id, which))
        if start is not None:
            statement = statement.where(beyond(*key, start, newest_first=newest_first))
        order = [column.desc() if newest_first else column.asc() for column in key]
        return (await self._session.exec(statement.order_by(*order).limit(limit))).all()

    async def sessions(self, user_id: uuid.UUID, flow_id: uuid.UUID | None, limit: int) -> Sequence[str]:
        """Ids of the sessions that have messages of this user, the latest active first."""
        statement = (
            select(MessageRow.session_id)
            .where(*conditions(user_id, MessageFilter(flow_id=flow_id)))
            .group_by(MessageRow.session_id)
            .order_by(sa.func.max(MessageRow.timestamp).desc(), col(MessageRow.session_id))
            .limit(limit)
        )
        return (await self._session.exec(statement)).all()

    async def has_messages(self, user_id: uuid.UUID, session_id: str) -> bool:
        """Whether this user has messages in the session."""
        statement = select(MessageRow.id).where(*conditions(user_id, MessageFilter(session_id=session_id))).limit(1)
        return (await self._session.exec(statement)).first() is not None

    async def rename_session(self, user_id: uuid.UUID, old: str, new: str) -> int:
        """Move all messages of a session to another; returns how many."""
        mine = conditions(user_id, MessageFilter(session_id=old))
        return await self._change(sa.update(MessageRow).where(*mine).values(session_id=new))

    async def delete_session(self, user_id: uuid.UUID, session_id: str) -> int:
        """Delete all messages of a session; returns how many."""
        mine = conditions(user_id, MessageFilter(session_id=session_id))
        return await self._change(sa.delete(MessageRow).where(*mine))

    async def up_to(
        self, user_id: uuid.UUID, last: MessageRow, start: tuple[datetime, uuid.UUID] | None, limit: int
    ) -> Sequence[dict[str, Any]]:
        """Columns of the messages of a session up to this one, by time and id, beginning behind ``start``."""
        key = (col(MessageRow.timestamp), col(MessageRow.id))
        statement = sa.select(*sa.inspect(MessageRow).columns).where(*_up_to(user_id, last)).order_by(*key).limit(limit)
        if start is not None:
            statement = statement.where(beyond(*key, start, newest_first=False))
        connection = await self._session.connection()
        return [dict(row) for row in (await connection.execute(statement)).mappings()]

    async def count_up_to(self, user_id: uuid.UUID, last: MessageRow) -> int:
        """How many messages of its session there are up to this one."""
        statement = select(sa.func.count()).select_from(MessageRow).where(*_up_to(user_id, last))
        return (await self._session.exec(statement)).one()

    async def delete_before(self, moment: datetime, limit: int) -> Sequence[tuple[uuid.UUID, uuid.UUID, str]]:
        """Delete the oldest messages of anyone from before then; returns at most ``limit`` ids, owners and sessions."""
        return await self._delete_some(self._oldest(limit).where(col(MessageRow.timestamp) < moment))

    async def delete_over(self, kept: int, limit: int) -> Sequence[tuple[uuid.UUID, uuid.UUID, str]]:
        """Delete the oldest messages of anyone where there are more than ``kept`` in all, as ``delete_before``."""
        count = (await self._session.exec(select(sa.func.count()).select_from(MessageRow))).one()
        return await self._delete_some(self._oldest(min(limit, count - kept))) if count > kept else ()

    async def delete_over_each(
        self, cap: int, per: Literal["session", "user"], limit: int
    ) -> Sequence[tuple[uuid.UUID, uuid.UUID, str]]:
        """Delete the oldest of sessions, or of users, that have more than ``cap`` each, as ``delete_before``."""
        owners = [col(MessageRow.user_id), *([col(MessageRow.session_id)] if per == "session" else [])]
        place = sa.func.row_number().over(
            partition_by=owners, order_by=[col(MessageRow.timestamp).desc(), col(MessageRow.id).desc()]
        )
        numbered = sa.select(col(MessageRow.id).label("id"), place.label("place")).subquery()
        return await self._delete_some(sa.select(numbered.c.id).where(numbered.c.place > cap).limit(limit))

    @staticmethod
    def _oldest(limit: int) -> sa.Select[Any]:
        return sa.select(col(MessageRow.id)).order_by(col(MessageRow.timestamp)).limit(limit)

    async def _delete_some(self, ids: sa.Select[Any]) -> Sequence[tuple[uuid.UUID, uuid.UUID, str]]:
        statement = (
            sa.delete(MessageRow)
            .where(col(MessageRow.id).in_(ids))
            .returning(col(MessageRow.id), col(MessageRow.user_id), col(MessageRow.session_id))
        )
        connection = await self._session.connection()
        return [(row.id, row.user_id, row.session_id) for row in await connection.execute(statement)]

    async def delete(self, user_id: uuid.UUID, message_ids: set[uuid.UUID]) -> Sequence[tuple[uuid.UUID, str]]:
        """Delete those of the messages that are this user's; returns their ids and sessions."""
        statement = (
            sa.delete(MessageRow)
            .where(col(MessageRow.user_id) == user_id, col(MessageRow.id).in_(message_ids))
            .returning(col(MessageRow.id), col(MessageRow.session_id))
        )
        connection = await self._session.connection()
        return [(row.id, row.session_id) for row in await connection.execute(statement)]

    async def _change(self, statement: Any) -> int:
        connection = await self._session.connection()
        return int((await connection.execute(statement)).rowcount)


def _up_to(user_id: uuid.UUID, last: MessageRow) -> list[sa.ColumnElement[bool]]:
    behind = beyond(col(MessageRow.timestamp), col(MessageRow.id), (last.timestamp, last.id), newest_first=False)
    return [*conditions(user_id, MessageFilter(session_id=last.session_id)), sa.not_(behind)]


def conditions(user_id: uuid.UUID, which: MessageFilter) -> list[sa.ColumnElement[bool]]:
    """What is true of the messages of this user that are meant."""
    conditions: list[sa.ColumnElement[bool]] = [col(MessageRow.user_id) == user_id]
    for name in ("flow_id", "session_id", "sender", "sender_name"):
        value = getattr(which, name)
        if value is not None:
            conditions.append(getattr(MessageRow, name) == value)
    if which.without_run is not None:
        conditions.append(sa.or_(col(MessageRow.run_id).is_(None), col(MessageRow.run_id) != which.without_run))
    if which.without_errors:
        conditions.append(col(MessageRow.error).is_(False))
    return conditions
