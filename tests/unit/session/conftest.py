"""Fixtures of the session service: two users, and the parts of the service over a database of the test's own."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from bedplate.services.cache import CacheService
from bedplate.services.cache.factory import build_cache
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, new_id
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.session import SessionService
from bedplate.services.session.builds import Builds
from bedplate.services.session.flows import Flows
from bedplate.services.session.models import NewFlow
from bedplate.services.session.projects import Projects
from bedplate.services.session.results import BuiltResults
from bedplate.services.session.runner import FlowDocument, RunContext, RunEvent, RunFinished, RunInputs
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
def results(cache: CacheService) -> BuiltResults:
    return BuiltResults(cache.namespace("session.results"), 60)


@pytest.fixture
def flows(database: DatabaseService, settings: SettingsService, results: BuiltResults) -> Flows:
    return Flows(database, settings.values.session.max_flow_bytes, results)


@pytest.fixture
def projects(database: DatabaseService) -> Projects:
    return Projects(database)


@pytest.fixture
def builds(
    database: DatabaseService, redactor: Redactor, settings: SettingsService, telemetry: TelemetryService
) -> Builds:
    return Builds(database, redactor, settings.values.session, telemetry)


class EchoRunner:
    """A runner of an application's own: does nothing, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[FlowDocument, RunInputs, RunContext]] = []

    async def run(self, flow: FlowDocument, inputs: RunInputs, context: RunContext) -> AsyncGenerator[RunEvent, None]:
        self.asked.append((flow, inputs, context))
        yield RunFinished(outputs=())


@pytest.fixture
def runner() -> EchoRunner:
    return EchoRunner()


@pytest.fixture
async def cache(
    settings: SettingsService, telemetry: TelemetryService, workers: Workers
) -> AsyncIterator[CacheService]:
    service = build_cache(settings, telemetry, workers)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def session(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    cache: CacheService,
    runner: EchoRunner,
    redactor: Redactor,
) -> AsyncIterator[SessionService]:
    service = SessionService(settings, telemetry, database, cache, runner, redactor)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def flow_id(flows: Flows, alice: uuid.UUID) -> uuid.UUID:
    """A flow of alice's."""
    return (await flows.create(alice, NewFlow(name="a flow"))).id
