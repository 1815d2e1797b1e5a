"""Reading users: one, or lists for superusers."""

import uuid
from collections.abc import Collection

from bedplate.services.auth.account_rules import to_user, username_key
from bedplate.services.auth.errors import NotAllowedError, UserNotFoundError
from bedplate.services.auth.models import Principal, User, UserBrowse, UserPage
from bedplate.services.database import DatabaseService
from bedplate.services.database.repositories.user import USERS, UserRepository
from bedplate.services.errors import InvalidInputError
from bedplate.services.schema import ServiceType

__all__ = ["UserReader", "require_superuser"]

MAX_PAGE = 1000


class UserReader:
    """Reads accounts.

    Args:
        database: Keeps them.
    """

    def __init__(self, database: DatabaseService) -> None:
        self._database = database

    async def get(self, user_id: uuid.UUID) -> User:
        """The user of that id.

        Raises:
            UserNotFoundError: There is none.
        """
        async with self._database.session() as session:
            row = await UserRepository(session).by_id(user_id)
        if row is None:
            raise UserNotFoundError
        return to_user(row)

    async def missing(self, user_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Those of the ids that are no users; for maintenance."""
        async with self._database.session() as session:
            return await UserRepository(session).missing(user_ids)

    async def named(self, username: str) -> User:
        """The user of that name, without regard to case; for the command line.

        Raises:
            UserNotFoundError: There is none.
        """
        async with self._database.session() as session:
            row = await UserRepository(session).by_name(username_key(username))
        if row is None:
            raise UserNotFoundError
        return to_user(row)

    async def list(self, actor: Principal, *, skip: int = 0, limit: int = 10) -> UserPage:
        """Some users, oldest first; at most 1,000 at once.

        Raises:
            NotAllowedError: The caller is no superuser.
            InvalidInputError: A number is negative.
        """
        require_superuser(actor)
        if skip < 0 or limit < 0:
            raise InvalidInputError("skip and limit must not be negative", service=ServiceType.AUTH)
        async with self._database.session() as session:
            rows, total = await UserRepository(session).page(skip, min(limit, MAX_PAGE))
        return UserPage(total=total, users=tuple(map(to_user, rows)))

    async def browse(
        self,
        actor: Principal,
        *,
        search: str = "",
        is_active: bool | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> UserBrowse:
        """Some of the users that match, the newest first.

        Args:
            actor: The caller, who must be a superuser.
            search: A text in their name.
            is_active: Those who may log in, or those who may not.
            cursor: ``next_cursor`` of the part before.
            limit: Most users, up to 1,000.

        Raises:
            NotAllowedError: The caller is no superuser.
            InvalidInputError: The cursor or the limit is none that can be used.
        """
        require_superuser(actor)
        where = {} if is_active is None else {"is_active": is_active}
        async with self._database.session() as session:
            page = await USERS.page(session, None, where=where, search=search, cursor=cursor, limit=limit)
        return UserBrowse(users=tuple(map(to_user, page.rows)), next_cursor=page.next_cursor)


def require_superuser(actor: Principal) -> None:
    """Raise unless the caller is a superuser.

    Raises:
        NotAllowedError: The caller is none.
    """
    if not actor.is_superuser:
        raise NotAllowedError
