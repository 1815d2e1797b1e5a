"""Variables in the database."""

import builtins
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Self

import msgspec

from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import UniqueViolationError
from bedplate.services.database.locks import lock_user
from bedplate.services.database.models import EncryptionKeyRow, VariableRow, VariableVersionRow
from bedplate.services.database.repositories.encryption_key import EncryptionKeyRepository
from bedplate.services.database.repositories.variable import VariableRepository
from bedplate.services.database.retention import Retention, delete_old
from bedplate.services.settings import SettingsService
from bedplate.services.variable.backend import DataKey, Resealed, SealedVariable, StaleValue, StoredVariable
from bedplate.services.variable.errors import TooManyVariablesError, VariableExistsError
from bedplate.services.variable.models import VariableType

__all__ = ["DatabaseVariables"]

_TYPES = {member.value: member for member in VariableType}


class DatabaseVariables:
    """The backend ``database``; joins the caller's transaction where there is one."""

    transactional: ClassVar[bool] = True

    def __init__(self, database: DatabaseService) -> None:
        self._database = database

    @classmethod
    def from_settings(cls, settings: SettingsService, *, database: DatabaseService) -> Self:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        return cls(database)

    async def add(self, variable: StoredVariable, *, limit: int) -> None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        try:
            async with self._database.transaction() as session:
                await lock_user(session, variable.user_id)
                repository = VariableRepository(session, variable.user_id)
                if await repository.count() >= limit:
                    raise TooManyVariablesError(limit)
                await repository.add(_row(variable))
        except UniqueViolationError:
            raise VariableExistsError(variable.name) from None

    async def get(self, user_id: uuid.UUID, key: str | uuid.UUID) -> StoredVariable | None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.session() as session:
            row = await VariableRepository(session, user_id).get(key)
        return _stored(row) if row else None

    async def get_many(self, user_id: uuid.UUID, names: Sequence[str]) -> Sequence[SealedVariable]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.session() as session:
            rows = await VariableRepository(session, user_id).named(names)
        return [
            SealedVariable(id=id_, user_id=user_id, name=name, type=_type(type_), value=value)
            for id_, name, type_, value in rows
        ]

    async def list(self, user_id: uuid.UUID) -> Sequence[StoredVariable]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.session() as session:
            rows = await VariableRepository(session, user_id).all()
        return [_stored(row) for row in rows]

    async def replace(self, variable: StoredVariable, *, old: StoredVariable, history: int) -> bool:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        another = variable.value != old.value
        try:
            async with self._database.transaction() as session:
                repository = VariableRepository(session, variable.user_id)
                if another and history:
                    await repository.keep(variable.id, old.version)
                replaced = await repository.replace(_row(variable), old.version, value=another)
                if another:
                    await repository.trim(variable.id, history)
                return replaced
        except UniqueViolationError:
            raise VariableExistsError(variable.name) from None

    async def versions(self, variable: StoredVariable) -> Sequence[StoredVariable]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.session() as session:
            rows = await VariableRepository(session, variable.user_id).versions(variable.id)
        return [
            msgspec.structs.replace(
                variable,
                type=_type(row.type),
                value=row.value,
                key_id=row.key_id,
                version=row.version,
                updated_at=row.created_at,
            )
            for row in rows
        ]

    async def delete(self, user_id: uuid.UUID, key: str | uuid.UUID) -> uuid.UUID | None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.transaction() as session:
            return await VariableRepository(session, user_id).delete(key)

    async def delete_old_versions(self, seconds: float, *, limit: int) -> int:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        kept = Retention(model=VariableVersionRow, time="created_at", seconds=seconds)
        return sum((await delete_old(self._database, [kept], limit=limit)).values())

    async def owners(self, after: uuid.UUID | None, limit: int) -> Sequence[uuid.UUID]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        return ()  # foreign keys see to it

    async def delete_owner(self, user_id: uuid.UUID) -> bool:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.transaction() as session:
            return await VariableRepository(session, user_id).delete_all() > 0

    async def keys(self) -> Sequence[DataKey]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.session() as session:
            rows = await EncryptionKeyRepository(session).all()
        return [
            DataKey(key_id=row.key_id, canary=row.canary, wrapped=row.wrapped, created_at=row.created_at)
            for row in rows
        ]

    async def add_key(self, key: DataKey) -> None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        row = EncryptionKeyRow(key_id=key.key_id, canary=key.canary, wrapped=key.wrapped, created_at=key.created_at)
        try:
            async with self._database.transaction() as session:
                await EncryptionKeyRepository(session).add(row)
        except UniqueViolationError:
            return  # another process was quicker

    async def rewrap(self, key_id: str, *, old: bytes, new: bytes) -> None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.transaction() as session:
            await EncryptionKeyRepository(session).rewrap(key_id, old=old, new=new)

    async def delete_unused_keys(self, before: datetime, *, keep: str) -> int:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.transaction() as session:
            return await EncryptionKeyRepository(session).delete_unused(before, keep)

    async def key_usage(self) -> Mapping[str, int]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.session() as session:
            return await EncryptionKeyRepository(session).usage()

    async def stale(
        self, key_id: str, *, history: bool, after: StaleValue | None, limit: int
    ) -> builtins.list[StaleValue]:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.session() as session:
            repository, last = EncryptionKeyRepository(session), after.row_id if after else None
            rows = await repository.stale(key_id, history=history, after=last, limit=limit)
        return [
            StaleValue(row_id=row_id, id=variable_id, user_id=user_id, type=_type(type_), value=value)
            for row_id, variable_id, user_id, type_, value in rows
        ]

    async def reseal(self, key_id: str, values: Sequence[Resealed], *, history: bool) -> None:
        """See :class:`~bedplate.services.variable.backend.VariableBackend`."""
        async with self._database.transaction() as session:
            rows = [{"row_id": value.row_id, "old": value.old, "new": value.new} for value in values]
            await EncryptionKeyRepository(session).reseal(key_id, rows, history=history)


def _row(variable: StoredVariable) -> VariableRow:
    return VariableRow(
        id=variable.id,
        user_id=variable.user_id,
        name=variable.name,
        type=variable.type.value,
        value=variable.value,
        default_fields=list(variable.default_fields),
        key_id=variable.key_id,
        version=variable.version,
        created_at=variable.created_at,
        updated_at=variable.updated_at,
    )


def _type(name: str) -> VariableType:
    # A type that is none, in a damaged row: shown to nobody, and opened for nobody.
    return _TYPES.get(name, VariableType.CREDENTIAL)


def _stored(row: VariableRow) -> StoredVariable:
    return StoredVariable(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        type=_type(row.type),
        value=row.value,
        default_fields=tuple(row.default_fields or ()),
        key_id=row.key_id,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
