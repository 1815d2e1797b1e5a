"""Canaries: secrets in every place where an application has them, and in no payload that leaves it."""

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.servers.otlp import Collector

from bedplate.containers import ApplicationContainer
from bedplate.services.logs import get_logger
from bedplate.wiring.testing.clients import PASSWORD, Clients
from bedplate.wiring.testing.llm import LocalLLM

Stop = Callable[[], Awaitable[object]]

FLOW = Path(__file__).parents[3] / "examples" / "flows" / "memory_chatbot.json"


@pytest.fixture
def llm() -> Iterator[LocalLLM]:
    with LocalLLM() as server:
        yield server


@pytest.fixture
def container_settings(container_settings: dict[str, Any], llm: LocalLLM) -> dict[str, Any]:
    return container_settings | {"session": {"llm_base_url": llm.base_url}}


async def test_no_secret_is_in_any_payload(
    container: ApplicationContainer, clients: Clients, llm: LocalLLM, otlp: Collector, stop: Stop
) -> None:
    """TEL-2: of a run with a credential, a prompt, files, headers, a query and a failed login."""
    client = await clients.logged_in("alice")
    token = client.headers["Authorization"].removeprefix("Bearer ")
    for name, value in (("OPENAI_API_KEY", llm.key), ("OTHER", "canary-of-a-variable")):
        body = {"name": name, "value": value, "type": "Credential", "default_fields": []}
        assert (await client.post("/api/v1/variables/", json=body)).status_code == 201
    document = json.loads(FLOW.read_text(encoding="utf-8"))
    flow = (await client.post("/api/v1/flows/", json={"name": "a flow", "data": document["data"]})).json()
    key = (await client.post("/api/v1/api_key/", json={"name": "a key"})).json()["api_key"]
    answer = await client.post(
        f"/api/v1/run/{flow['id']}?stream=false&token=canary-of-a-query",
        json={"input_value": "canary-of-a-prompt", "output_type": "chat", "input_type": "chat"},
        headers={"x-api-key": key},
    )
    assert answer.status_code == 200, answer.text
    upload = await client.post("/api/v2/files", files={"file": ("notes.txt", b"canary-of-a-file")})
    assert upload.status_code in (200, 201), upload.text
    wrong = {"username": "alice", "password": "canary-of-a-login"}
    await (await clients.anonymous()).post("/api/v1/login", data=wrong, headers={"x-secret": "canary-of-a-header"})
    get_logger("bedplate.shop").info("given", variable="canary-of-a-variable", api_key="canary-of-a-log")
    metrics = container.telemetry().exposition().decode()
    await stop()

    assert any(one.name == "POST /api/v1/run/{flow_id_or_name}" for one in otlp.spans)
    assert any("/chat/completions" in one.attributes.get("url.full", "") for one in otlp.spans)
    for canary in (
        llm.key,
        PASSWORD,
        key,
        token,
        token.rpartition(".")[2],
        "canary-of-a-variable",
        "canary-of-a-prompt",
        "canary-of-a-query",
        "canary-of-a-file",
        "canary-of-a-login",
        "canary-of-a-header",
        "canary-of-a-log",
    ):
        assert not otlp.holds(canary), canary
        assert canary not in metrics
