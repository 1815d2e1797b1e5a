"""What the OpenAPI document says is what the server answers, whatever a client sends: a few cases an operation.

``make fuzz`` sends more. The document is this release's own; the server is a real one, on a port of loopback.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import hypothesis
import pytest
import schemathesis
import uvicorn
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.settings import SettingsService
from bedplate.wiring.http import create_app
from bedplate.wiring.testing.database import copy_database

_CASES = int(os.environ.get("FUZZ_CASES", "5"))
_SWITCHED_OFF = ("/logs", "/logs-stream")
_CHECKS = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]

document = create_app(ApplicationContainer(settings=Singleton(SettingsService, profile="test"))).openapi()
schema = schemathesis.openapi.from_dict(document)


class Server:
    """A server in a thread of its own, and the key of a superuser."""

    def __init__(self, container: ApplicationContainer) -> None:
        self._container = container
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.key = ""
        self._ready = threading.Event()
        config = uvicorn.Config(create_app(container), port=port, log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve()], daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(60)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)

    async def _serve(self) -> None:
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
            await asyncio.sleep(0.01)
        auth = self._container.auth()
        user = await auth.create_superuser("fuzzer", "a password of tests")
        self.key = (await auth.api_keys.create(user.id)).secret.get_secret_value()
        self._ready.set()
        await serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fuzz")
    copy_database(migrated_database, folder)
    settings = Singleton(SettingsService, profile="test", data_dir=folder)
    made = Server(ApplicationContainer(settings=settings))
    made.start()
    yield made
    made.stop()


@schema.parametrize()
@hypothesis.settings(
    max_examples=_CASES,
    deadline=None,
    derandomize=_CASES == 5,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_answers_are_those_of_the_document(case: schemathesis.Case, server: Server) -> None:
    """No 5xx but a declared 501 or 503, and no answer that the document does not know."""
    answer = case.call(base_url=server.url, headers={"x-api-key": server.key}, timeout=30)
    checks = list(_CHECKS)
    if answer.status_code == HTTPStatus.NOT_IMPLEMENTED:
        assert case.path in _SWITCHED_OFF
    elif answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
        checks.append(not_a_server_error)
    case.validate_response(answer, checks=checks)
