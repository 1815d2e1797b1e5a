"""The credentials of who publishes: known by value before anything of theirs is looked through."""

import uuid
from itertools import islice

from bedplate.services.errors import CorruptDataError
from bedplate.services.logs import get_logger
from bedplate.services.variable import VariableService, VariableType

__all__ = ["UserSecrets"]

_AT_ONCE = 1_000

_log = get_logger("bedplate.store")


class UserSecrets:
    """Lets the redactor know the credentials of a user, which it otherwise does from their first use on.

    Args:
        variable: Has them, and registers what it reads.
    """

    def __init__(self, variable: VariableService) -> None:
        self._variable = variable

    async def learn(self, user_id: uuid.UUID) -> None:
        """Read every credential of the user once; one that cannot be decrypted cannot be known either."""
        found = await self._variable.list(user_id)
        names = iter([variable.name for variable in found if variable.type is VariableType.CREDENTIAL])
        while batch := list(islice(names, _AT_ONCE)):
            try:
                await self._variable.resolve_many(user_id, batch)
            except CorruptDataError:
                await self._one_by_one(user_id, batch)

    async def _one_by_one(self, user_id: uuid.UUID, names: list[str]) -> None:
        for name in names:
            try:
                await self._variable.resolve(user_id, name)
            except CorruptDataError:
                _log.warning("a credential cannot be looked for in what is published", user_id=str(user_id))
