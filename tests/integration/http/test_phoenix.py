"""A real Phoenix server holds the runs of flows as they were (TRACE-3)."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.integration.http.conftest import Upload
from tests.servers.phoenix_server import Phoenix, phoenix

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.task.harness import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PROJECT = "flows"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    with phoenix(tmp_path_factory.mktemp("phoenix")) as running:
        yield running


@pytest.fixture
def container_settings(
    container_settings: dict[str, Any], server: Phoenix, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Set up as Phoenix documents it, by its own variables."""
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", server.url)
    monkeypatch.setenv("PHOENIX_PROJECT_NAME", PROJECT)
    session = container_settings["session"] | {"llm_retries": 0}
    return container_settings | {
        "session": session,
        "tracing": {"vendor_content": True, "vendor_interval": 0.01, "vendor_timeout": 60.0},
    }


async def test_a_run_and_one_that_fails_are_there_with_tree_session_tokens_and_error(
    server: Phoenix,
    as_user: httpx.AsyncClient,
    user: User,
    clients: Clients,
    upload: Upload,
    container: ApplicationContainer,
    llm: LocalLLM,
) -> None:
    """TRACE-3: read back from the server's own API."""
    assert list(container.tracing().vendors) == ["phoenix"]
    flow = await upload(as_user, endpoint_name="chatbot")
    keyed = await clients.with_key(user.username)
    for session in ("went-well", "went-wrong"):
        if session == "went-wrong":
            llm.script(Fault(status=401))
        await keyed.post("/api/v1/run/chatbot", json={"input_value": "my name is Ada", "session_id": session})
    assert await container.tracing().flush(120)

    async def there() -> list[dict[str, Any]]:
        found = await asyncio.to_thread(server.spans, PROJECT)
        roots = [span for span in found if span["parent_id"] is None]
        return found if len(roots) == 2 else []

    spans = await until(there)
    well, wrong = (_of(spans, session) for session in ("went-well", "went-wrong"))
    root, names = well[flow["name"]], set(well)
    assert (root["parent_id"], root["span_kind"], root["status_code"]) == (None, "CHAIN", "OK")
    assert {span["parent_id"] for name, span in well.items() if name != flow["name"]} == {root["context"]["span_id"]}
    trace = (await as_user.get("/api/v1/monitor/traces", params={"session_id": "went-well"})).json()["items"][0]
    tree = (await as_user.get(f"/api/v1/monitor/traces/{trace['id']}")).json()
    assert names == {flow["name"], *(span["name"] for span in tree["spans"])}
    assert root["context"]["trace_id"] == trace["id"].replace("-", "")

    (model,) = (span for span in well.values() if span["span_kind"] == "LLM")
    counted = {name: model["attributes"][f"llm.token_count.{name}"] for name in ("prompt", "completion", "total")}
    assert counted["prompt"] == trace["usage"]["input_tokens"] > 0
    assert counted["total"] == counted["prompt"] + counted["completion"]
    assert "my name is Ada" in model["attributes"]["input.value"]
    messages = str(
        {name: value for name, value in model["attributes"].items() if name.startswith("llm.input_messages")}
    )
    assert "my name is Ada" in messages
    assert "sender_name" not in messages, "messages are texts, and not the JSON of what the step was given"
    assert "You said" in model["attributes"]["output.value"]
    assert all(span["attributes"]["user.id"] == str(user.id) for span in spans)

    (failed,) = (span for span in wrong.values() if span["span_kind"] == "LLM")
    assert (failed["status_code"], wrong[flow["name"]]["status_code"]) == ("ERROR", "ERROR")
    assert failed["status_message"]
    assert [event["name"] for event in failed["events"]] == ["exception"]


def _of(spans: list[dict[str, Any]], session: str) -> dict[str, dict[str, Any]]:
    return {span["name"]: span for span in spans if span["attributes"]["session.id"] == session}
