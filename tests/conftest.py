"""Fixtures that every test may use: services of the foundation on a folder of the test's own."""

import gc
import itertools
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from tests.servers.fake_kubernetes import FakeKubernetes
from tests.servers.otlp import Collector, collector
from tests.servers.s3 import S3Server, moto, rclone

from bedplate.services.database import DatabaseService, alembic_commands
from bedplate.services.database.factory import build_database
from bedplate.services.database.models import UserRow
from bedplate.services.database.postgres import PostgresBackend
from bedplate.services.database.postgres.alteration import Alteration
from bedplate.services.database.revisions import OWN
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.kubernetes import KubernetesEngine
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.s3 import S3Engine
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.database import copy_database
from bedplate.wiring.testing.servers.postgres import new_database, postgres
from bedplate.wiring.testing.servers.valkey import flush, valkey

# Everywhere alike: how fast a machine is and what an earlier run found must not decide whether a test passes.
hypothesis.settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    database=None,
    # One suite is run by the classes of several backends.
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.differing_executors],
)
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.load_profile("ci" if "CI" in os.environ else "dev")


_finished = itertools.count(1)


def pytest_collection_finish() -> None:
    _spare_the_collector()


def pytest_runtest_logfinish() -> None:
    if next(_finished) % 200 == 0:
        _spare_the_collector()


def _spare_the_collector() -> None:
    """Look for garbage once, and never again among what is left: modules, thousands of tests, compiled statements.

    Half of the time of a run was spent on looking through them.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def settings(tmp_path: Path, migrated_database: Path) -> SettingsService:
    copy_database(migrated_database, tmp_path)
    return SettingsService(profile="test", data_dir=tmp_path, secret_key="a-secret-key-of-the-tests-0123456789abcdef")


@pytest.fixture
def redactor(settings: SettingsService) -> Redactor:
    return Redactor(settings)


@pytest.fixture
def telemetry(settings: SettingsService, redactor: Redactor) -> TelemetryService:
    return TelemetryService(settings, redactor)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of this process of the run."""
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> str:
    """The URL of an empty PostgreSQL database."""
    return new_database(postgres_url)


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """The name of a migrated PostgreSQL database, to copy for each test."""
    url = new_database(postgres_url)
    settings = SettingsService(profile="test", database={"backend": "postgres", "url": url})
    alteration = Alteration(PostgresBackend(settings).address)
    alteration.run(lambda connection: alembic_commands.upgrade(connection, OWN, "head"))
    return url.rpartition("/")[2]


@pytest.fixture
def migrated_postgres(postgres_url: str, postgres_template: str) -> str:
    """The URL of a migrated, empty PostgreSQL database of the test's own."""
    return new_database(postgres_url, template=postgres_template)


@pytest.fixture
async def database(
    request: pytest.FixtureRequest, settings: SettingsService, telemetry: TelemetryService
) -> AsyncIterator[DatabaseService]:
    """A started database: in a file, or on PostgreSQL where the test or its class is marked so."""
    if request.node.get_closest_marker("postgres"):
        url = request.getfixturevalue("migrated_postgres")
        settings = SettingsService(
            profile="test", data_dir=settings.values.data_dir, database={"backend": "postgres", "url": url}
        )
    service = build_database(settings, telemetry)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def new_user(database: DatabaseService) -> Callable[[str], Awaitable[uuid.UUID]]:
    async def make(name: str) -> uuid.UUID:
        row = UserRow(username=name, username_key=name, password_hash="not-a-hash")
        async with database.transaction() as session:
            session.add(row)
        return row.id

    return make


@pytest.fixture
async def alice(new_user: Callable[[str], Awaitable[uuid.UUID]]) -> uuid.UUID:
    return await new_user("alice")


@pytest.fixture
async def bob(new_user: Callable[[str], Awaitable[uuid.UUID]]) -> uuid.UUID:
    return await new_user("bob")


@pytest.fixture
async def keyring(settings: SettingsService) -> AsyncIterator[Keyring]:
    engine = Keyring(settings)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    engine = Workers()
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Valkey server of this process of the run."""
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def valkey_url(valkey_server: str) -> str:
    """The URL of an empty Valkey server, which tests of this process use one after another."""
    flush(valkey_server)
    return valkey_server


@pytest.fixture
async def redis_engine(tmp_path: Path, valkey_url: str) -> AsyncIterator[RedisEngine]:
    engine = RedisEngine(SettingsService(profile="test", data_dir=tmp_path, redis={"url": valkey_url}))
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 API of this process of the run, which keeps what it is given in memory."""
    with moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 API of this process of the run, which checks signatures."""
    with rclone(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture
async def s3() -> AsyncIterator[S3Engine]:
    engine = S3Engine()
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
def otlp() -> Iterator[Collector]:
    """A collector of OTLP that keeps and decodes what it is sent."""
    with collector() as server:
        yield server


@pytest.fixture
async def kubernetes_api(tmp_path: Path) -> AsyncIterator[FakeKubernetes]:
    """A fake of the Secrets API of Kubernetes, of the test's own."""
    async with FakeKubernetes(tmp_path / "kubernetes") as api:
        yield api


@pytest.fixture
async def kubernetes() -> AsyncIterator[KubernetesEngine]:
    engine = KubernetesEngine()
    await engine.start()
    yield engine
    await engine.stop()
