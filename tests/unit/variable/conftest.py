"""A started variable service on either backend, and a look at what is kept."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.servers.fake_kubernetes import FakeKubernetes
from tests.unit.variable.at_rest import AtRest, InDatabase, InSecrets

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.kubernetes import KubernetesEngine
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable import VariableService
from bedplate.services.variable.factory import build_variable

SECRET_KEY = "a-secret-key-of-the-tests-0123456789abcdef"

MakeVariable = Callable[..., Awaitable[VariableService]]


@pytest.fixture
def backend() -> str:
    """The backend; :data:`both` has a test run on each of them."""
    return "database"


@pytest.fixture
def at_rest(backend: str, database: DatabaseService, kubernetes_api: FakeKubernetes) -> AtRest:
    return InSecrets(kubernetes_api) if backend == "kubernetes" else InDatabase(database)


@pytest.fixture
async def make_variable(
    tmp_path: Path,
    database: DatabaseService,
    redactor: Redactor,
    telemetry: TelemetryService,
    backend: str,
    kubernetes: KubernetesEngine,
    kubernetes_api: FakeKubernetes,
) -> AsyncIterator[MakeVariable]:
    """Starts variable services with keys and settings of the test's choice, on one backend; stops them at the end."""
    made: list[VariableService] = []
    group: dict[str, Any] = {}
    if backend == "kubernetes":
        group = {"backend": backend, "kubernetes_kubeconfig": kubernetes_api.kubeconfig()}

    async def make(
        *,
        secret_key: str = SECRET_KEY,
        previous_secret_keys: Sequence[str] = (),
        before: Callable[[], object] | None = None,
        **variable: Any,
    ) -> VariableService:
        settings = SettingsService(
            data_dir=tmp_path,
            secret_key=secret_key,
            previous_secret_keys=previous_secret_keys,
            variable=group | variable,
        )
        keyring = Keyring(settings)
        await keyring.start()
        service = build_variable(settings, telemetry, database, keyring, redactor, kubernetes=lambda: kubernetes)
        if before is not None:
            before()
        await service.start()
        made.append(service)
        return service

    yield make
    for service in made:
        await service.stop()


@pytest.fixture
async def variables(make_variable: MakeVariable) -> VariableService:
    return await make_variable()
