"""The search of the store."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import StoreComponentRow, StoreLikeRow, StoreTagRow, StoreVersionRow, UserRow
from bedplate.services.database.repositories.store import StoreRepository
from bedplate.services.database.repositories.store_likes import likes_of

__all__ = ["Found", "StoreFilter", "StoreSearch"]


class StoreFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which components; None, False and empty do not filter.

    Attributes:
        id: The one with this id.
        name: The one of the user with this name and with this slug.
        text: Stands in the name, the description, a tag or the owner's name.
        tags: Has all of these.
        public: Public ones alone.
        private: Private ones, which are the user's own; or not.
        liked: Liked by the user.
        own: Of the user.
    """

    id: uuid.UUID | None = None
    name: tuple[str, str] | None = None
    text: str | None = None
    tags: Sequence[uuid.UUID] = ()
    is_component: bool | None = None
    public: bool = False
    private: bool | None = None
    liked: bool = False
    own: bool = False


class Found(NamedTuple):
    """A component with what is known of it elsewhere; the version is the latest one's, where there is one."""

    component: StoreComponentRow
    username: str
    likes: int
    liked: bool
    parent: uuid.UUID | None
    digest: str | None
    summary: dict[str, Any] | None
    last_tested_version: str | None


class StoreSearch:
    """Searches what one user sees.

    Args:
        session: The session or transaction to work in.
        user_id: The user.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id
        self._sees = StoreRepository(session, user_id).sees

    async def page(
        self, which: StoreFilter, order: Sequence[tuple[str, bool]], *, offset: int, limit: int
    ) -> Sequence[Found]:
        """Some of what matches.

        Args:
            which: What matches.
            order: Names of sort keys, each with whether it goes downwards; what is equal goes by id.
            offset: How many to leave out.
            limit: Most of them.
        """
        likes = likes_of(col(StoreComponentRow.id))
        statement = (
            self._everything(likes)
            .where(*self._conditions(which))
            .order_by(*self._order(order, likes), col(StoreComponentRow.id))
            .offset(offset)
            .limit(limit)
        )
        return [Found(*row) for row in (await self._session.exec(statement)).all()]

    async def count(self, which: StoreFilter) -> int:
        """How many match."""
        statement = select(sa.func.count()).select_from(StoreComponentRow)
        if which.text or which.name is not None:  # the only ones that look at owners
            statement = statement.join(UserRow, col(UserRow.id) == col(StoreComponentRow.user_id))
        return (await self._session.exec(statement.where(*self._conditions(which)))).one()

    def _everything(self, likes: sa.ScalarSelect[int]) -> Any:
        """The columns of :class:`Found`, with the tables that they come from."""
        parent: Any = aliased(StoreComponentRow)
        version = (StoreVersionRow.digest, StoreVersionRow.summary, StoreVersionRow.last_tested_version)
        entities: list[Any] = [StoreComponentRow, UserRow.username, likes, self._likes, parent.id, *version]
        is_latest = sa.and_(
            col(StoreVersionRow.component_id) == col(StoreComponentRow.id),
            col(StoreVersionRow.version) == col(StoreComponentRow.latest),
        )
        # What it was made from may have become private since.
        is_seen = sa.or_(parent.private.is_(False), parent.user_id == self._user_id)
        return (
            sa.select(*entities)
            .join(UserRow, col(UserRow.id) == col(StoreComponentRow.user_id))
            .outerjoin(StoreVersionRow, is_latest)
            .outerjoin(parent, sa.and_(parent.id == col(StoreComponentRow.parent_id), is_seen))
        )

    @property
    def _likes(self) -> sa.ColumnElement[bool]:
        return (
            sa.exists()
            .where(
                col(StoreLikeRow.component_id) == col(StoreComponentRow.id),
                col(StoreLikeRow.user_id) == self._user_id,
            )
            .correlate(StoreComponentRow)
        )

    def _conditions(self, which: StoreFilter) -> list[sa.ColumnElement[bool]]:
        own = col(StoreComponentRow.user_id) == self._user_id
        conditions = [self._sees]
        if which.id is not None:
            conditions.append(col(StoreComponentRow.id) == which.id)
        if which.name is not None:
            username, slug = which.name
            owner = sa.or_(col(UserRow.username) == username, col(UserRow.username_key) == username.casefold())
            conditions += [owner, col(StoreComponentRow.slug) == slug]
        if which.text:
            conditions.append(self._matches(which.text))
        conditions += [self._tagged(col(StoreTagRow.tag_id) == tag_id) for tag_id in which.tags]
        if which.is_component is not None:
            conditions.append(col(StoreComponentRow.is_component) == which.is_component)
        if which.public or which.private is not None:
            conditions.append(col(StoreComponentRow.private).is_(bool(which.private)))
        if which.liked:
            conditions.append(self._likes)
        if which.own:
            conditions.append(own)
        return conditions

    def _matches(self, text: str) -> sa.ColumnElement[bool]:
        columns = (col(StoreComponentRow.name), col(StoreComponentRow.description), col(UserRow.username))
        return sa.or_(
            *(column.icontains(text, autoescape=True) for column in columns),
            self._tagged(col(StoreTagRow.name).icontains(text, autoescape=True)),
        )

    @staticmethod
    def _tagged(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        return (
            sa.exists()
            .where(col(StoreTagRow.component_id) == col(StoreComponentRow.id), condition)
            .correlate(StoreComponentRow)
        )

    @staticmethod
    def _order(order: Sequence[tuple[str, bool]], likes: sa.ScalarSelect[int]) -> list[Any]:
        columns: Mapping[str, Any] = {
            "name": col(StoreComponentRow.name_key),
            "created": col(StoreComponentRow.created_at),
            "updated": col(StoreComponentRow.updated_at),
            "downloads": col(StoreComponentRow.downloads),
            "likes": likes,
        }
        return [columns[name].desc() if down else columns[name].asc() for name, down in order]
