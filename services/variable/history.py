"""The earlier values of variables."""

import uuid
from collections.abc import Callable, Sequence

from bedplate.services.variable.backend import StoredVariable, VariableBackend
from bedplate.services.variable.editor import Editor
from bedplate.services.variable.models import Variable, VariableVersion
from bedplate.services.variable.sealing import Change, Sealing

__all__ = ["History"]


class History:
    """What variables were before: of each the ``max_versions`` latest values, for ``version_retention``.

    Args:
        ready: Gives the means to seal and open, or raises while the service is not started.
        backend: Where the values are.
        editor: Finds and replaces variables.
    """

    def __init__(self, ready: Callable[[], Sealing], backend: VariableBackend, editor: Editor) -> None:
        self._ready = ready
        self._backend = backend
        self._editor = editor

    async def list(self, user_id: uuid.UUID, name_or_id: str | uuid.UUID) -> Sequence[VariableVersion]:
        """The values that a variable has and had, latest first.

        Raises:
            VariableNotFoundError: It is not there.
        """
        sealing, stored = self._ready(), await self._editor.stored(user_id, name_or_id)
        found = [stored, *await self._backend.versions(stored)]
        await sealing.know(found)
        return [sealing.shown_version(one, current=one is stored) for one in found]

    async def restore(
        self,
        user_id: uuid.UUID,
        name_or_id: str | uuid.UUID,
        version: int,
        *,
        expected_version: int | None = None,
    ) -> Variable:
        """Give a variable an earlier value again, with the type of then, as a new version; all else stays.

        Args:
            user_id: The owner.
            name_or_id: The variable.
            version: The version whose value it is to have.
            expected_version: The version that the change is meant for; None: whatever it has.

        Raises:
            VariableNotFoundError: There is no such variable, or it has no such version any more.
            VariableChangedError: It has another version than ``expected_version``.
            UndecryptableVariableError: The value of then cannot be decrypted.
        """
        sealing = self._ready()
        then = await self.stored(user_id, name_or_id, version)
        await sealing.know([then])
        value = sealing.opened(then)
        await sealing.keys.refresh()

        def made(now: StoredVariable) -> StoredVariable:
            return sealing.changed(now, Change(type=then.type, value=value))

        new = await self._editor.change(user_id, then.id, made, expected=expected_version)
        self._editor.retire(new, value.get_secret_value())
        return sealing.shown(new)

    async def stored(self, user_id: uuid.UUID, name_or_id: str | uuid.UUID, version: int | None) -> StoredVariable:
        """A variable as it was at a version; None: as it is.

        Raises:
            VariableNotFoundError: There is no such variable, or it has no such version any more.
        """
        stored = await self._editor.stored(user_id, name_or_id)
        if version in (None, stored.version):
            return stored
        for one in await self._backend.versions(stored):
            if one.version == version:
                return one
        raise self._editor.not_found(f"{stored.name}, version {version}")
