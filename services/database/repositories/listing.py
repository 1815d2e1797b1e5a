"""Lists of rows: page by page, filtered and searched, one way for every table."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from bedplate.services.database.models import Table
from bedplate.services.database.repositories.cursor import beyond, decode_cursor, encode_cursor
from bedplate.services.errors import InvalidInputError

__all__ = ["Listing", "RowPage"]

R = TypeVar("R", bound=Table)

MAX_PAGE = 1000
MAX_SEARCH = 200


class RowPage(NamedTuple, Generic[R]):
    """A part of a list.

    Attributes:
        rows: The rows.
        next_cursor: What the next part begins behind; None: there is none.
    """

    rows: Sequence[R]
    next_cursor: str | None


class Listing(Generic[R]):
    """How a table is listed: in the order of a time and an id, so that nothing that is added or deleted shifts a page.

    Args:
        model: The table.
        service: The service that lists it, for errors.
        time: The column of the time.
        id: The column of the id, a UUID.
        owner: The column of the owner; None for a table whose rows are nobody's.
        filters: The columns that may be filtered by.
        searched: The columns of texts that are searched in.
    """

    def __init__(
        self,
        model: type[R],
        *,
        service: str,
        time: str = "created_at",
        id: str = "id",  # noqa: A002 - the usual name of the column
        owner: str | None = "user_id",
        filters: Collection[str] = (),
        searched: Collection[str] = (),
    ) -> None:
        self._model = model
        self._service = service
        self._time, self._id, self._owner = time, id, owner
        self.filters = frozenset(filters)
        self._searched = tuple(searched)

    async def page(
        self,
        session: AsyncSession,
        owner_id: uuid.UUID | None,
        *,
        where: Mapping[str, Any] = {},
        search: str = "",
        cursor: str | None = None,
        limit: int = 50,
        newest_first: bool = True,
    ) -> RowPage[R]:
        """Some rows of an owner.

        Args:
            session: The session to read in.
            owner_id: The owner; None for a table without.
            where: The value of each column that is filtered by; a list means any of them, None that it is empty.
            search: A text that one of the searched columns holds, whatever its case; nothing in it is a wildcard.
            cursor: ``next_cursor`` of the page before.
            limit: Most rows, from 1 to 1,000.
            newest_first: Whether the latest come first.

        Raises:
            InvalidInputError: A filter, the cursor, the limit or the text is none that can be used.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInputError(f"a page has 1 to {MAX_PAGE} items", service=self._service)
        place = None if cursor is None else decode_cursor(cursor, service=self._service)
        statement = self.statement(owner_id, where=where, search=search, place=place, newest_first=newest_first)
        found = (await session.exec(statement.limit(limit + 1))).all()
        rows = found[:limit]
        more = len(found) > limit
        return RowPage(rows, encode_cursor(*self._place(rows[-1])) if more else None)

    async def count(
        self, session: AsyncSession, owner_id: uuid.UUID | None, *, where: Mapping[str, Any] = {}, search: str = ""
    ) -> int:
        """How many rows there are in all pages.

        Raises:
            InvalidInputError: As for :meth:`page`.
        """
        conditions = self._conditions(owner_id, where, search)
        return (await session.exec(select(sa.func.count()).select_from(self._model).where(*conditions))).one()

    def statement(
        self,
        owner_id: uuid.UUID | None,
        *,
        where: Mapping[str, Any] = {},
        search: str = "",
        place: tuple[datetime, uuid.UUID] | None = None,
        newest_first: bool = True,
    ) -> SelectOfScalar[R]:
        """The query of a page, without its limit."""
        time, row_id = self._column(self._time), self._column(self._id)
        statement = select(self._model).where(*self._conditions(owner_id, where, search))
        if place is not None:
            statement = statement.where(beyond(time, row_id, place, newest_first=newest_first))
        order = (time.desc(), row_id.desc()) if newest_first else (time, row_id)
        return statement.order_by(*order)

    def _conditions(
        self, owner_id: uuid.UUID | None, where: Mapping[str, Any], search: str
    ) -> list[sa.ColumnElement[bool]]:
        if unknown := sorted(where.keys() - self.filters):
            raise InvalidInputError(
                f"this list is not filtered by {', '.join(unknown)}",
                service=self._service,
                fix=f"filter by any of {', '.join(sorted(self.filters)) or 'nothing'}",
            )
        if len(search) > MAX_SEARCH:
            raise InvalidInputError(f"a text to search for has at most {MAX_SEARCH} characters", service=self._service)
        conditions = [] if self._owner is None else [self._column(self._owner) == owner_id]
        for name, value in where.items():
            column = self._column(name)
            many = isinstance(value, list | tuple | set | frozenset)
            # Of None, SQLAlchemy makes IS NULL.
            conditions.append(column.in_(list(value)) if many else column == value)
        if search:
            texts = (self._column(name).icontains(search, autoescape=True) for name in self._searched)
            conditions.append(sa.or_(sa.false(), *texts))
        return conditions

    def _column(self, name: str) -> Any:
        return col(getattr(self._model, name))

    def _place(self, row: R) -> tuple[datetime, uuid.UUID]:
        return getattr(row, self._time), getattr(row, self._id)
