"""VAR-1 to VAR-3: the backends of the variables, one suite for all."""

import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, VariableRow, new_id
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable import VariableService
from bedplate.services.variable.factory import build_variable
from bedplate.wiring.testing.variable import VariableConformance
from bedplate.wiring.testing.variable.harness import SECRET_KEY


class Harness:
    """Variable services over one database."""

    def __init__(
        self, folder: Path, database: DatabaseService, redactor: Redactor, telemetry: TelemetryService
    ) -> None:
        self.redactor = redactor
        self.telemetry = telemetry
        self._folder = folder
        self._database = database
        self._made: list[VariableService] = []

    async def variables(self, *, secret_key: str = SECRET_KEY, **values: Any) -> VariableService:
        settings = SettingsService(profile="test", data_dir=self._folder, secret_key=secret_key, variable=values)
        keyring = Keyring(settings)
        await keyring.start()
        service = build_variable(settings, self.telemetry, self._database, keyring, self.redactor)
        self._made.append(service)
        await service.start()
        return service

    async def user(self) -> uuid.UUID:
        name = str(new_id())
        row = UserRow(username=name, username_key=name, password_hash="-")
        async with self._database.transaction() as session:
            session.add(row)
        return row.id

    async def kept(self) -> Mapping[uuid.UUID, bytes]:
        async with self._database.session() as session:
            return {row.id: row.value for row in (await session.exec(select(VariableRow))).all()}

    async def overwrite(self, variable_id: uuid.UUID, value: bytes) -> None:
        async with self._database.transaction() as session:
            await session.exec(sa.update(VariableRow).where(col(VariableRow.id) == variable_id).values(value=value))

    async def close(self) -> None:
        for service in self._made:
            await service.stop()


class TestDatabase(VariableConformance):
    """VAR-1 to VAR-3 for the backend ``database``."""

    @pytest.fixture
    async def harness(
        self, tmp_path: Path, database: DatabaseService, redactor: Redactor, telemetry: TelemetryService
    ) -> AsyncIterator[Harness]:
        harness = Harness(tmp_path, database, redactor, telemetry)
        yield harness
        await harness.close()


@pytest.mark.postgres
class TestPostgres(TestDatabase):
    """The same over PostgreSQL."""

    backend = "database (PostgreSQL)"
