"""VAR-5: the suite of the variables on Secrets, against a fake of the Kubernetes API."""

import base64
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.servers.fake_kubernetes import FakeKubernetes

from bedplate.services.database.factory import build_database
from bedplate.services.database.models import new_id
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.kubernetes import KubernetesEngine
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable import VariableService
from bedplate.services.variable.factory import build_variable
from bedplate.wiring.testing.variable import VariableConformance
from bedplate.wiring.testing.variable.harness import SECRET_KEY


class Harness:
    """Variable services over one API."""

    def __init__(
        self,
        folder: Path,
        redactor: Redactor,
        telemetry: TelemetryService,
        engine: KubernetesEngine,
        api: FakeKubernetes,
    ) -> None:
        self.redactor = redactor
        self.telemetry = telemetry
        self._folder = folder
        self._engine = engine
        self._api = api
        self._made: list[VariableService] = []

    async def variables(self, *, secret_key: str = SECRET_KEY, **values: Any) -> VariableService:
        group = {"backend": "kubernetes", "kubernetes_kubeconfig": self._api.kubeconfig()} | values
        settings = SettingsService(profile="test", data_dir=self._folder, secret_key=secret_key, variable=group)
        database = build_database(settings, self.telemetry)  # never started: nothing of this is in it
        keyring = Keyring(settings)
        await keyring.start()
        service = build_variable(
            settings, self.telemetry, database, keyring, self.redactor, kubernetes=lambda: self._engine
        )
        self._made.append(service)
        await service.start()
        return service

    async def user(self) -> uuid.UUID:
        return new_id()

    async def kept(self) -> Mapping[uuid.UUID, bytes]:
        return {id_: msgspec.json.decode(entry, type=_Kept).value for id_, (_, entry) in self._entries().items()}

    async def overwrite(self, variable_id: uuid.UUID, value: bytes) -> None:
        secret, entry = self._entries()[variable_id]
        changed = msgspec.json.decode(entry) | {"value": base64.b64encode(value).decode()}
        secret["data"][f"variable.{variable_id}"] = base64.b64encode(msgspec.json.encode(changed)).decode()

    async def close(self) -> None:
        for service in self._made:
            await service.stop()

    def _entries(self) -> dict[uuid.UUID, tuple[dict[str, Any], bytes]]:
        return {
            uuid.UUID(key.removeprefix("variable.")): (secret, base64.b64decode(entry))
            for secret in self._api.secrets.values()
            for key, entry in secret["data"].items()
            if key.startswith("variable.")
        }


class _Kept(msgspec.Struct):
    value: bytes


class TestKubernetes(VariableConformance):
    """VAR-1 to VAR-3 for the backend ``kubernetes``."""

    @pytest.fixture
    async def harness(
        self,
        tmp_path: Path,
        kubernetes: KubernetesEngine,
        kubernetes_api: FakeKubernetes,
    ) -> AsyncIterator[Harness]:
        settings = SettingsService(profile="test", data_dir=tmp_path)
        redactor = Redactor(settings)
        harness = Harness(tmp_path, redactor, TelemetryService(settings, redactor), kubernetes, kubernetes_api)
        yield harness
        await harness.close()

    @pytest.mark.slow
    async def test_any_sequence_of_operations(self, harness: Harness) -> None:
        """VAR-1, ALL-4: over HTTP each step takes its time."""
        await super().test_any_sequence_of_operations(harness)
