"""Who the users of the source are here."""

import uuid

from bedplate.wiring.langflow.errors import UnusableError
from bedplate.wiring.langflow.values import SourceRow

__all__ = ["Owners"]


class Owners(dict[uuid.UUID, uuid.UUID]):
    """The users here, by the ids of those there."""

    def of(self, row: SourceRow) -> uuid.UUID:
        """The user here that a row there belongs to.

        Raises:
            UnusableError: It belongs to nobody, or to a user that was left out.
        """
        user_id = row.id_or_none("user_id")
        if user_id is None:
            raise UnusableError("it belongs to no user")
        if (owner := self.get(user_id)) is None:
            raise UnusableError("its user was left out, or is not there")
        return owner
