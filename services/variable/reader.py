"""Reading variables: what their owner sees of them, and the values that flows use."""

import builtins
import uuid
from collections.abc import Callable, Iterable, Mapping

from pydantic import SecretStr

from bedplate.services.engines.redactor import Redactor
from bedplate.services.variable.backend import VariableBackend
from bedplate.services.variable.editor import Editor
from bedplate.services.variable.errors import InvalidVariableError
from bedplate.services.variable.models import Variable
from bedplate.services.variable.operator import OperatorVariables
from bedplate.services.variable.sealing import Sealing

__all__ = ["VariableReader"]

MAX_NAMES = 1000
"""Most names that are resolved at once."""


class VariableReader:
    """Reads the variables of one user at a time.

    Args:
        ready: Gives the means to open values, or raises while the service is not started.
        backend: Where they are.
        editor: Finds one.
        operator: Those of the operator, which stand in where a user has none.
        redactor: Masks what is read.
    """

    def __init__(
        self,
        ready: Callable[[], Sealing],
        backend: VariableBackend,
        editor: Editor,
        operator: OperatorVariables,
        redactor: Redactor,
    ) -> None:
        self._means = ready
        self._backend = backend
        self._editor = editor
        self._operator = operator
        self._redactor = redactor

    async def get(self, user_id: uuid.UUID, name_or_id: str | uuid.UUID) -> Variable:
        """One variable.

        Raises:
            VariableNotFoundError: It is not there.
            UndecryptableVariableError: It is a Generic one whose value cannot be decrypted.
        """
        sealing, stored = self._means(), await self._editor.stored(user_id, name_or_id)
        await sealing.know([stored])
        return sealing.shown(stored)

    async def list(self, user_id: uuid.UUID) -> builtins.list[Variable]:
        """All variables of the user, oldest first; a value that cannot be decrypted is None and hides no other."""
        sealing, found = self._means(), await self._backend.list(user_id)
        await sealing.know(found)
        return [sealing.shown(stored, strict=False) for stored in found]

    async def resolve(self, user_id: uuid.UUID, name: str) -> SecretStr:
        """The value of a variable for a flow of the user: the user's own, else an allow-listed one of the operator.

        Raises:
            VariableNotFoundError: There is neither.
            UndecryptableVariableError: The user's own cannot be decrypted; the operator's does not stand in for it.
        """
        found = await self.resolve_many(user_id, (name,))
        if name not in found:
            raise self._editor.not_found(name)
        return found[name]

    async def resolve_many(self, user_id: uuid.UUID, names: Iterable[str]) -> Mapping[str, SecretStr]:
        """Those of the names that there are, as by :meth:`resolve`, in one read.

        Raises:
            InvalidVariableError: There are more than 1,000 names.
            UndecryptableVariableError: One of the user's own cannot be decrypted.
        """
        sealing = self._means()
        wanted = tuple(dict.fromkeys(names))
        if len(wanted) > MAX_NAMES:
            raise InvalidVariableError(f"at most {MAX_NAMES} variables are resolved at once")
        sealed = await self._backend.get_many(user_id, wanted)
        await sealing.know(sealed)
        found = {stored.name: sealing.opened(stored) for stored in sealed}
        for name in wanted:
            if name not in found and (value := self._operator.get(name)):
                self._redactor.register(value.get_secret_value(), holder="operator")
                found[name] = value
        return found
