"""An installation of Langflow on either database, and imports of it into the test's container."""

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from tests.integration.langflow.installation import Installation

from bedplate.containers import ApplicationContainer
from bedplate.wiring.langflow import ImportReport, LangflowImport, LangflowSource
from bedplate.wiring.langflow.secrets import LangflowSecrets

Import = Callable[..., Coroutine[Any, Any, ImportReport]]


@pytest.fixture
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """An installation on SQLite; indirectly parametrized with ``"postgres"``, on PostgreSQL."""
    folder = tmp_path / "langflow"
    folder.mkdir()
    on_postgres = getattr(request, "param", "sqlite") == "postgres"
    url = request.getfixturevalue("postgres_database") if on_postgres else f"sqlite:///{folder}/langflow.db"
    made = Installation(url, folder, Fernet.generate_key().decode().rstrip("="))
    yield made
    made.close()


@pytest.fixture
def carry(installation: Installation, container: ApplicationContainer) -> Import:
    """Import the installation, with its own key and folder unless told otherwise."""

    async def run(*, dry: bool = False, **options: Any) -> ImportReport:
        secrets = LangflowSecrets(options.pop("secret_key", installation.secret_key))
        options = {"folder": installation.folder} | options
        async with LangflowSource.open(installation.url) as source:
            return await LangflowImport(container, secrets, **options).run(source, dry=dry)

    return run
