"""The pytest plugin, loaded by its entry point: a container, and an application over it, for each test.

Nothing is imported before a test asks for a fixture, so that other test suites in the same environment pay nothing.
"""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

    from bedplate.containers import ApplicationContainer
    from bedplate.services.auth import User
    from bedplate.wiring.testing.clients import Clients

__all__ = ["as_user", "client", "clients", "container", "container_settings", "migrated_database", "user"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that prints what the backends under test can do."""
    parser.getgroup("bedplate").addoption(
        "--capabilities", action="store_true", help="print what the backends of the collected conformance suites can do"
    )


def pytest_report_collectionfinish(config: pytest.Config, items: "Sequence[pytest.Item]") -> list[str]:
    """Print the table of capabilities, if it is asked for."""
    if not config.getoption("--capabilities"):
        return []
    from bedplate.wiring.testing.suite import Suite, capability_table

    classes = {getattr(item, "cls", None): None for item in items}
    suites = [one for one in classes if isinstance(one, type) and issubclass(one, Suite)]
    return capability_table(suites).splitlines()


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database at head, made once per run, to copy for each test."""
    from bedplate.wiring.testing.database import database_template

    # The base folder of a worker of xdist lies in that of the whole run.
    folder = tmp_path_factory.getbasetemp()
    return database_template(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture
def container_settings(tmp_path: Path) -> dict[str, object]:
    """Settings of the test's container; override the fixture, or change the dictionary, to add your own."""
    return {
        "profile": "test",
        "data_dir": tmp_path / "bedplate",
        "secret_key": "a-secret-key-of-tests-0123456789abcdef",
    }


@pytest.fixture
async def container(
    container_settings: dict[str, object], migrated_database: Path
) -> "AsyncIterator[ApplicationContainer]":
    """A running container of the test's own on embedded backends; ``bedplate.wiring.deps`` answers from it."""
    from bedplate.containers import ApplicationContainer, Singleton
    from bedplate.services.settings import SettingsService
    from bedplate.wiring.lifespan import initialize_services, teardown_services
    from bedplate.wiring.testing.database import copy_database

    made = ApplicationContainer(settings=Singleton(SettingsService, **container_settings))
    copy_database(migrated_database, made.settings().values.data_dir)
    await initialize_services(made)
    yield made
    await teardown_services()
    made.unwire()


@pytest.fixture
async def clients(container: "ApplicationContainer") -> "AsyncIterator[Clients]":
    """Makes HTTP clients of the whole REST API over the test's container, in process."""
    from bedplate.wiring.http import create_app
    from bedplate.wiring.testing.clients import Clients

    app = create_app(container)
    async with app.router.lifespan_context(app), AsyncExitStack() as stack:
        yield Clients(app, container, stack)


@pytest.fixture
async def client(clients: "Clients") -> "httpx.AsyncClient":
    """An HTTP client without credentials."""
    return await clients.anonymous()


@pytest.fixture
async def user(clients: "Clients") -> "User":
    """An active, ordinary user, called ``user``."""
    return await clients.user("user")


@pytest.fixture
async def as_user(clients: "Clients", user: "User") -> "httpx.AsyncClient":
    """An HTTP client with a token of :func:`user`."""
    return await clients.logged_in(user.username)
