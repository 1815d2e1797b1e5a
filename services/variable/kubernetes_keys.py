"""The keys that values are sealed with, in a Secret of their own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from bedplate.services.variable.backend import DataKey
from bedplate.services.variable.kubernetes_secrets import Secrets, Wanted

__all__ = ["SecretKeys"]

_Keys = Mapping[str, DataKey]


class SecretKeys:
    """Keys by id, each sealed with the secret key of the installation.

    Args:
        secrets: Where they are.
        name: The Secret.
    """

    def __init__(self, secrets: Secrets, name: str) -> None:
        self._secrets = secrets
        self._name = name

    async def all(self) -> Sequence[DataKey]:
        """The keys, oldest first."""
        found = await self._secrets.get(self._name)
        keys = _decoded(found.data if found else {}).values()
        return sorted(keys, key=lambda key: (key.created_at, key.key_id))

    async def add(self, key: DataKey) -> None:
        """Keep a key, unless it is there."""
        await self._change(lambda keys: keys if key.key_id in keys else {**keys, key.key_id: key})

    async def rewrap(self, key_id: str, *, old: bytes, new: bytes) -> None:
        """Keep another sealed form of a key, if the old one is still there."""

        def make(keys: _Keys) -> _Keys:
            found = keys.get(key_id)
            if found is None or found.wrapped != old:
                return keys
            return {**keys, key_id: msgspec.structs.replace(found, wrapped=new)}

        await self._change(make)

    async def delete(self, before: datetime, *, keep: Collection[str]) -> int:
        """Delete keys made before then but for some; how many there were."""
        count = 0

        def make(keys: _Keys) -> _Keys:
            nonlocal count
            left = {id_: key for id_, key in keys.items() if key.created_at >= before or id_ in keep}
            count = len(keys) - len(left)
            return left

        await self._change(make)
        return count

    async def _change(self, make: Callable[[_Keys], _Keys]) -> None:
        def wanted(data: Mapping[str, bytes]) -> Wanted | None:
            keys = _decoded(data)
            made = make(keys)
            return None if made == keys else Wanted({id_: msgspec.json.encode(key) for id_, key in made.items()}, {})

        await self._secrets.change(self._name, {}, wanted)


def _decoded(data: Mapping[str, bytes]) -> dict[str, DataKey]:
    return {id_: msgspec.json.decode(raw, type=DataKey) for id_, raw in data.items()}
