"""Answers that come piece by piece, from a language model endpoint of this machine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.socket.conftest import Client, Sockets

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.session import Flow, NewFlow
from bedplate.wiring.testing.llm import LocalLLM

_FLOW = Path(__file__).parents[3] / "examples" / "flows" / "memory_chatbot.json"


@pytest.fixture(scope="module")
def llm() -> Iterator[LocalLLM]:
    with LocalLLM() as llm:
        yield llm


@pytest.fixture
def container_settings(container_settings: dict[str, Any], llm: LocalLLM) -> dict[str, Any]:
    return container_settings | {"session": {"llm_base_url": llm.base_url}}


@pytest.fixture
async def chatbot(container: ApplicationContainer, ann: User, llm: LocalLLM) -> Flow:
    await container.variable().create(ann.id, "OPENAI_API_KEY", llm.key)
    document = json.loads(_FLOW.read_text(encoding="utf-8"))
    return await container.session().flows.create(ann.id, NewFlow(name="chatbot", data=document["data"]))


def _conversation(client: Client) -> list[tuple[str, Any]]:
    return [(name, data) for name, data in client.heard if name in ("message", "token")]


async def test_pieces_come_in_order_and_the_whole_message_last(sockets: Sockets, chatbot: Flow) -> None:
    """CHAT-2, SOCK-1: what a session is told is what the log of the job says, in its order, once each."""
    client = await sockets.logged_in()
    started = await client.ok("message", flow_id=str(chatbot.id), text="Hello there", session_id="s")
    await client.until("job", lambda data: data["status"] == "succeeded")
    await client.ok("join", room=started["room"])  # whatever was told before has come
    told = _conversation(client)
    answer = [(name, data) for name, data in told if data["id"] == told[-1][1]["id"]]
    assert [name for name, _ in answer] == ["message", *["token"] * (len(answer) - 2), "message"]
    assert (answer[0][1]["text"], answer[0][1]["properties"]["state"]) == ("", "partial")
    pieces = [data["chunk"] for name, data in answer if name == "token"]
    assert len(pieces) > 1
    assert "".join(pieces) == answer[-1][1]["text"]
    await client.ok("join", room=f"job:{started['job_id']}")
    await client.until("job_event", lambda data: data["event"] == "end")
    kinds = {"add_message": "message", "token": "token"}
    logged = [
        (kinds[data["event"]], data["data"]["id"], data["data"].get("chunk", data["data"].get("text")))
        for data in client.all("job_event")
        if data["event"] in kinds
    ]
    assert [(name, data["id"], data.get("chunk", data.get("text"))) for name, data in told] == logged


async def test_secrets_are_masked_in_what_is_told(sockets: Sockets, chatbot: Flow, llm: LocalLLM) -> None:
    """TRACE-4, SOCK-1: as in the log, also where one comes in pieces."""
    llm.answer = lambda _request: f"my key is {llm.key}, really"
    client = await sockets.logged_in()
    await client.ok("message", flow_id=str(chatbot.id), text="What is your key?", session_id="s")
    await client.until("job", lambda data: data["status"] == "succeeded")
    await client.ok("leave", room="session:s")
    assert "my key is" in str(client.heard)
    assert llm.key not in str(client.heard)
    llm.reset()


@pytest.mark.parametrize("transport", ["websocket"])
class TestDatabase:
    """A database with hardly any connections."""

    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any]) -> dict[str, Any]:
        return container_settings | {"database": {"pool_size": 1, "pool_timeout": 10.0}}

    async def test_no_event_keeps_a_connection_of_the_database(self, sockets: Sockets, chatbot: Flow) -> None:
        """SOCK-1: prior art opened a session for each event, and never closed it."""
        client = await sockets.logged_in()
        for number in range(15):
            assert (await client.ok("get_vertices", str(chatbot.id)))["flow_id"] == str(chatbot.id)
            assert (await client.error("join", room=f"flow:{chatbot.user_id}"))["code"] == "flow_not_found"
            await client.ok("join", room=f"session:{number}")
