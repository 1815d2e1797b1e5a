"""Variables in Secrets of Kubernetes: one a user, and one for the keys that they are sealed with."""

import builtins
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar, Self

import msgspec

from bedplate.services.database.models import utc_now
from bedplate.services.engines.kubernetes import KubernetesEngine
from bedplate.services.engines.kubernetes_config import KubernetesAddress
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.variable import VariableSettings
from bedplate.services.variable.backend import DataKey, Resealed, SealedVariable, StaleValue, StoredVariable
from bedplate.services.variable.errors import TooManyVariablesError, VariableExistsError
from bedplate.services.variable.kubernetes_keys import SecretKeys
from bedplate.services.variable.kubernetes_secrets import Secrets
from bedplate.services.variable.kubernetes_vault import Entry, Vault, entry_of, sealed_values, type_of
from bedplate.services.variable.kubernetes_vaults import Vaults

__all__ = ["KubernetesVariables"]


class KubernetesVariables:
    """The backend ``kubernetes``.

    All of a variable is in the Secret of its owner, so that each change happens wholly or not at all, by the version
    of the Secret. What is asked of all users is asked of annotations.

    Args:
        secrets: Where they are.
        prefix: What the names of the Secrets begin with.
    """

    transactional: ClassVar[bool] = False

    def __init__(self, secrets: Secrets, prefix: str) -> None:
        self._keys = SecretKeys(secrets, f"{prefix}-variable-keys")
        self._vaults = Vaults(secrets, prefix)

    @classmethod
    def from_settings(cls, settings: SettingsService, *, kubernetes: KubernetesEngine) -> Self:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        values = settings.values.variable
        secrets = Secrets(
            kubernetes,
            _address(values),
            namespace=values.kubernetes_namespace,
            labels=dict(values.kubernetes_labels)
            | {
                "app.kubernetes.io/managed-by": "bedplate",
                "app.kubernetes.io/component": "variable",
                "app.kubernetes.io/instance": values.kubernetes_prefix,
            },
            retries=values.kubernetes_retries,
        )
        return cls(secrets, values.kubernetes_prefix)

    async def add(self, variable: StoredVariable, *, limit: int) -> None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        entry = entry_of(variable)

        def make(vault: Vault) -> bool:
            if vault.variables.get(variable.id) == entry:
                return False  # by an earlier attempt, whose answer was lost
            if variable.id in vault.variables or vault.find(variable.name):
                raise VariableExistsError(variable.name)
            if len(vault.variables) >= limit:
                raise TooManyVariablesError(limit)
            vault.put(variable.id, entry)
            return True

        await self._vaults.change(variable.user_id, make)

    async def get(self, user_id: uuid.UUID, key: str | uuid.UUID) -> StoredVariable | None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        vault = await self._vaults.get(user_id)
        id_ = vault.find(key)
        return None if id_ is None else vault.stored(id_)

    async def get_many(self, user_id: uuid.UUID, names: Sequence[str]) -> Sequence[SealedVariable]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        wanted = frozenset(names)
        if not wanted:
            return ()
        return [
            SealedVariable(id=id_, user_id=user_id, name=one.name, type=type_of(one.type), value=one.value)
            for id_, one in (await self._vaults.get(user_id)).variables.items()
            if one.name in wanted
        ]

    async def list(self, user_id: uuid.UUID) -> Sequence[StoredVariable]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        vault = await self._vaults.get(user_id)
        return [vault.stored(id_) for id_ in sorted(vault.variables)]

    async def replace(self, variable: StoredVariable, *, old: StoredVariable, history: int) -> bool:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        another, replaced = variable.value != old.value, False
        id_, new = variable.id, entry_of(variable)

        def make(vault: Vault) -> bool:
            nonlocal replaced
            now = vault.variables.get(id_)
            kept = new if another or now is None else _under(now, new)
            if replaced := now is not None and now == kept:
                return False  # by an earlier attempt, whose answer was lost
            if now is None or now.version != old.version:
                return False
            if vault.find(variable.name) not in (None, id_):
                raise VariableExistsError(variable.name)
            if another and history:
                vault.retire(id_)
            if another:
                vault.trim(id_, history)
            vault.put(id_, kept)
            return (replaced := True)

        await self._vaults.change(variable.user_id, make)
        return replaced

    async def versions(self, variable: StoredVariable) -> Sequence[StoredVariable]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        vault = await self._vaults.get(variable.user_id)
        return [
            msgspec.structs.replace(
                variable,
                type=type_of(then.type),
                value=then.value,
                key_id=then.key_id,
                version=version,
                updated_at=then.created_at,
            )
            for version, then in vault.versions(variable.id)
        ]

    async def delete(self, user_id: uuid.UUID, key: str | uuid.UUID) -> uuid.UUID | None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        deleted: uuid.UUID | None = None

        def make(vault: Vault) -> bool:
            nonlocal deleted
            if (found := vault.find(key)) is None:
                return False  # never there, or deleted by an attempt whose answer was lost
            deleted = found
            vault.drop(found)
            return True

        await self._vaults.change(user_id, make)
        return deleted

    async def delete_old_versions(self, seconds: float, *, limit: int) -> int:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        before, count, dropped = utc_now() - timedelta(seconds=seconds), 0, 0

        def make(vault: Vault) -> bool:
            nonlocal dropped
            dropped = vault.drop_older(before, limit=limit - count)
            return dropped > 0

        async for noted in self._vaults.all():
            if noted.oldest is not None and noted.oldest < before:
                dropped = 0
                await self._vaults.change(noted.user_id, make)
                if (count := count + dropped) >= limit:
                    break
        return count

    async def owners(self, after: uuid.UUID | None, limit: int) -> Sequence[uuid.UUID]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        found: builtins.list[uuid.UUID] = []
        async for noted in self._vaults.all():
            if after is None or noted.user_id > after:
                found.append(noted.user_id)
            if len(found) == limit:
                break
        return found

    async def delete_owner(self, user_id: uuid.UUID) -> bool:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        return await self._vaults.delete(user_id)

    async def keys(self) -> Sequence[DataKey]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        return await self._keys.all()

    async def add_key(self, key: DataKey) -> None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        await self._keys.add(key)

    async def rewrap(self, key_id: str, *, old: bytes, new: bytes) -> None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        await self._keys.rewrap(key_id, old=old, new=new)

    async def delete_unused_keys(self, before: datetime, *, keep: str) -> int:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        return await self._keys.delete(before, keep={keep, *await self.key_usage()})

    async def key_usage(self) -> Mapping[str, int]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        usage: Counter[str] = Counter()
        async for noted in self._vaults.all():
            counts = noted.usage
            usage.update((await self._vaults.get(noted.user_id)).usage() if counts is None else counts)
        return dict(usage)

    async def stale(
        self, key_id: str, *, history: bool, after: StaleValue | None, limit: int
    ) -> builtins.list[StaleValue]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        found: builtins.list[StaleValue] = []
        async for noted in self._vaults.all():
            user_id, counts = noted.user_id, noted.usage
            if (after and user_id < after.user_id) or (counts is not None and counts.keys() <= {key_id}):
                continue
            vault = await self._vaults.get(user_id)
            for row_id, id_, one in sealed_values(vault, history=history):
                seen = after is not None and user_id == after.user_id and row_id <= after.row_id
                if one.key_id == key_id or seen:
                    continue
                found.append(
                    StaleValue(row_id=row_id, id=id_, user_id=user_id, type=type_of(one.type), value=one.value)
                )
                if len(found) == limit:
                    return found
        return found

    async def reseal(self, key_id: str, values: Sequence[Resealed], *, history: bool) -> None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        by_user: dict[uuid.UUID, dict[uuid.UUID, Resealed]] = defaultdict(dict)
        for value in values:
            by_user[value.user_id][value.row_id] = value
        for user_id, wanted in by_user.items():
            await self._vaults.change(user_id, partial(_reseal, key_id=key_id, wanted=wanted))


def _address(values: VariableSettings) -> KubernetesAddress:
    return KubernetesAddress(
        kubeconfig=values.kubernetes_kubeconfig,
        context=values.kubernetes_context,
        account=values.kubernetes_account_dir,
        connections=values.kubernetes_connections,
        timeout=values.kubernetes_timeout,
    )


def _under(now: Entry, new: Entry) -> Entry:
    """The new entry with the ciphertext of now, which may have been sealed anew meanwhile."""
    return msgspec.structs.replace(new, type=now.type, value=now.value, key_id=now.key_id)


def _reseal(vault: Vault, key_id: str, wanted: Mapping[uuid.UUID, Resealed]) -> bool:
    """Put values in the place of what they were made of, where that is still there."""
    before = dict(vault.data)
    for id_, entry in list(vault.variables.items()):
        if (value := wanted.get(id_)) and entry.value == value.old:
            vault.put(id_, msgspec.structs.replace(entry, value=value.new, key_id=key_id))
    for (id_, version), then in list(vault.earlier.items()):
        if (value := wanted.get(then.row_id)) and then.value == value.old:
            vault.put_earlier(id_, version, msgspec.structs.replace(then, value=value.new, key_id=key_id))
    return vault.data != before
