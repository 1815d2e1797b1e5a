"""Names of users by their ids, for lists of what is theirs."""

import time
import uuid
from collections.abc import Iterable

from bedplate.services.auth import AuthService
from bedplate.services.auth.errors import UserNotFoundError
from bedplate.services.errors import NotFoundError

__all__ = ["People"]

_KEPT = 1_000
_SECONDS = 60.0


class People:
    """Looks names up, and knows them for a minute.

    Args:
        auth: Knows the users.
    """

    def __init__(self, auth: AuthService) -> None:
        self._auth = auth
        self._known: dict[uuid.UUID, tuple[float, str]] = {}

    async def names(self, ids: Iterable[uuid.UUID | None]) -> dict[uuid.UUID | None, str]:
        """The name of each; that of nobody is the system's."""
        found: dict[uuid.UUID | None, str] = {None: "system"}
        for user_id in ids:
            if user_id is not None and user_id not in found:
                found[user_id] = await self._name(user_id)
        return found

    async def id(self, name: str) -> uuid.UUID | None:
        """The id of the user of that name; None: there is none."""
        try:
            return (await self._auth.users.named(name)).id
        except UserNotFoundError:
            return None

    async def _name(self, user_id: uuid.UUID) -> str:
        now = time.monotonic()
        until, name = self._known.get(user_id, (0.0, ""))
        if until < now:
            try:
                name = (await self._auth.users.get(user_id)).username
            except NotFoundError:
                name = str(user_id)
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[user_id] = (now + _SECONDS, name)
        return name
