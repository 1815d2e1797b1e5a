"""The Secrets of all users, with notes on each that spare reading what is in them."""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from bedplate.services.variable.kubernetes_secrets import Metadata, Secrets, Wanted
from bedplate.services.variable.kubernetes_vault import Vault

__all__ = ["NotedVault", "Vaults"]

_USER: Final = "bedplate/user"
_KEYS: Final = "bedplate/keys"
_OLDEST: Final = "bedplate/oldest"


class NotedVault(msgspec.Struct, frozen=True, kw_only=True):
    """What the Secret of a user says of itself.

    Attributes:
        user_id: The owner.
        usage: How many values each key seals; None if somebody has taken that away.
        oldest: When the oldest of the earlier values was made.
    """

    user_id: uuid.UUID
    usage: Mapping[str, int] | None
    oldest: datetime | None


class Vaults:
    """One Secret a user.

    Args:
        secrets: Where they are.
        prefix: What their names begin with.
    """

    def __init__(self, secrets: Secrets, prefix: str) -> None:
        self._secrets = secrets
        self._prefix = prefix
        self._selector = f"app.kubernetes.io/managed-by=bedplate,app.kubernetes.io/instance={prefix},{_USER}"

    async def get(self, user_id: uuid.UUID) -> Vault:
        """The variables of a user, none if there is no Secret."""
        found = await self._secrets.get(self._name(user_id))
        return Vault(user_id, found.data if found else {})

    async def change(self, user_id: uuid.UUID, make: Callable[[Vault], bool]) -> None:
        """Change the variables of a user.

        Args:
            user_id: The owner.
            make: Does it, and says whether there is anything to write; called again if another was faster.
        """

        def wanted(data: Mapping[str, bytes]) -> Wanted | None:
            vault = Vault(user_id, data)
            if not make(vault):
                return None
            vault.fit()
            oldest = vault.oldest()
            annotations = {
                _KEYS: msgspec.json.encode(vault.usage()).decode(),
                _OLDEST: None if oldest is None else oldest.isoformat(),
            }
            return Wanted(vault.data, annotations)

        await self._secrets.change(self._name(user_id), {_USER: str(user_id)}, wanted)

    async def delete(self, user_id: uuid.UUID) -> bool:
        """Delete the Secret of a user; whether there was one."""
        return await self._secrets.delete(self._name(user_id))

    async def all(self) -> AsyncIterator[NotedVault]:
        """Everyone who has variables, in the order of their ids."""
        async for said in self._secrets.metadata(self._selector):
            yield NotedVault(user_id=uuid.UUID(said.labels[_USER]), usage=_usage(said), oldest=_oldest(said))

    def _name(self, user_id: uuid.UUID) -> str:
        return f"{self._prefix}-variables-{user_id}"


def _usage(said: Metadata) -> Mapping[str, int] | None:
    try:
        return msgspec.json.decode(said.annotations.get(_KEYS, ""), type=dict[str, int])
    except msgspec.DecodeError:
        return None


def _oldest(said: Metadata) -> datetime | None:
    if not (noted := said.annotations.get(_OLDEST)):
        return None
    try:
        return datetime.fromisoformat(noted).astimezone(UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)  # somebody has edited it: whoever asks looks for himself
