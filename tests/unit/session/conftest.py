"""Fixtures of the session service: two users, and the parts of the service over a database of the test's own."""

import uuid

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, new_id
from bedplate.services.engines.redactor import Redactor
from bedplate.services.session.builds import Builds
from bedplate.services.session.flows import Flows
from bedplate.services.session.projects import Projects
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService


async def _user(database: DatabaseService, name: str) -> uuid.UUID:
    user_id = new_id()
    async with database.transaction() as session:
        row = UserRow(id=user_id, username=name, username_key=name, password_hash="x", is_active=True)
        session.add(row)
    return user_id


@pytest.fixture
async def alice(database: DatabaseService) -> uuid.UUID:
    return await _user(database, "alice")


@pytest.fixture
async def bob(database: DatabaseService) -> uuid.UUID:
    return await _user(database, "bob")


@pytest.fixture
def flows(database: DatabaseService, settings: SettingsService) -> Flows:
    return Flows(database, settings.values.session.max_flow_bytes)


@pytest.fixture
def projects(database: DatabaseService) -> Projects:
    return Projects(database)


@pytest.fixture
def builds(
    database: DatabaseService, redactor: Redactor, settings: SettingsService, telemetry: TelemetryService
) -> Builds:
    return Builds(database, redactor, settings.values.session, telemetry)
