"""A started variable service on either backend, users to own variables, and a look at what is kept."""

import base64
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import pytest
from sqlmodel import select
from tests.servers.fake_kubernetes import FakeKubernetes

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import VariableRow, VariableVersionRow
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.kubernetes import KubernetesEngine
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable import VariableService
from bedplate.services.variable.factory import build_variable

SECRET_KEY = "a-secret-key-of-the-tests-0123456789abcdef"

MakeVariable = Callable[..., Awaitable[VariableService]]


class Value(NamedTuple):
    """A sealed value as it is kept; ``earlier``: not that of now."""

    user_id: uuid.UUID
    key_id: str
    value: bytes
    earlier: bool


class AtRest(Protocol):
    """What a backend keeps."""

    async def values(self) -> list[Value]:
        """All values, earlier ones included."""
        ...


class InDatabase:
    def __init__(self, database: DatabaseService) -> None:
        self._database = database

    async def values(self) -> list[Value]:
        async with self._database.session() as session:
            now = (await session.exec(select(VariableRow))).all()
            earlier = (await session.exec(select(VariableVersionRow))).all()
        return [Value(row.user_id, row.key_id, row.value, False) for row in now] + [
            Value(row.user_id, row.key_id, row.value, True) for row in earlier
        ]


class InSecrets:
    class _Kept(msgspec.Struct):
        key_id: str
        value: bytes

    def __init__(self, api: FakeKubernetes) -> None:
        self._api = api

    async def values(self) -> list[Value]:
        found = []
        for secret in self._api.secrets.values():
            owner = secret["metadata"]["labels"].get("bedplate/user")
            for key, entry in secret["data"].items() if owner else ():
                kept = msgspec.json.decode(base64.b64decode(entry), type=self._Kept)
                found.append(Value(uuid.UUID(owner), kept.key_id, kept.value, key.startswith("earlier.")))
        return found


@pytest.fixture
def backend() -> str:
    """The backend; parametrize a test with ``backend`` to have others."""
    return "database"


@pytest.fixture
def at_rest(backend: str, request: pytest.FixtureRequest) -> AtRest:
    if backend == "kubernetes":
        return InSecrets(request.getfixturevalue("kubernetes_api"))
    return InDatabase(request.getfixturevalue("database"))


@pytest.fixture
async def make_variable(
    tmp_path: Path,
    database: DatabaseService,
    redactor: Redactor,
    telemetry: TelemetryService,
    backend: str,
    kubernetes: KubernetesEngine,
    request: pytest.FixtureRequest,
) -> AsyncIterator[MakeVariable]:
    """Starts variable services with keys and settings of the test's choice, on one backend; stops them at the end."""
    made: list[VariableService] = []
    group: dict[str, Any] = {}
    if backend == "kubernetes":
        group = {"backend": backend, "kubernetes_kubeconfig": request.getfixturevalue("kubernetes_api").kubeconfig()}

    async def make(
        *, secret_key: str = SECRET_KEY, previous_secret_keys: Sequence[str] = (), **variable: Any
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
        await service.start()
        made.append(service)
        return service

    yield make
    for service in made:
        await service.stop()


@pytest.fixture
async def variables(make_variable: MakeVariable) -> VariableService:
    return await make_variable()
