"""SOCK-3: sockets of replicas that are processes of their own, without sticky sessions, over PostgreSQL and Valkey."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import socketio
from tests.cluster.test_jobs import Cluster, Flow
from tests.integration.socket.conftest import PATIENCE, Client
from tests.servers.replicas import Replica, signed_in

from bedplate.wiring.testing.signals import Gate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("cluster-pair")]


class Clients:
    """Socket.IO clients of one user."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self._made: list[Client] = []

    async def connect(self, replica: Replica, **auth: Any) -> Client:
        client = Client(replica.url, "websocket")
        self._made.append(client)
        return await client.connect({"token": self.headers["Authorization"].removeprefix("Bearer "), **auth})

    async def close(self) -> None:
        for client in self._made:
            await client.close()


@pytest.fixture
async def clients(pair: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[Clients]:
    name = request.node.name.removeprefix("test_")[:60]  # a user of the test's own
    made = Clients(await asyncio.to_thread(signed_in, pair.replicas[0].url, name))
    yield made
    await made.close()


@pytest.fixture
async def flow(pair: Cluster, clients: Clients) -> AsyncIterator[Flow]:
    async with Flow(clients.headers, pair.replicas[1], pair.llm) as made:
        yield made


def _chunks(*clients: Client) -> str:
    return "".join(data["chunk"] for client in clients for data in client.all("token"))


async def test_a_client_resumes_on_the_other_replica(pair: Cluster, clients: Clients, flow: Flow) -> None:
    """SOCK-3: the one that it was on is killed while an answer streams: nothing lost, nothing twice."""
    first, second = pair.replicas
    before = await clients.connect(first)
    await before.ok("join", room="session:s")
    gate = Gate()
    job = await flow.begin(second, held=gate, words=40)
    await before.ok("join", room=f"job:{job}")
    await before.until("token", count=10)
    await before.until("job_event", count=10)
    await asyncio.to_thread(first.kill)
    gate.open()
    await before.until_disconnected()
    heard = [data for name, data in before.heard if name in ("token", "message", "job_event", "job")]
    last = {data["room"]: data["event_id"] for data in heard}
    after = await clients.connect(second, resume=last)
    resumed = (await after.until("resumed"))["rooms"]
    assert [room["resync"] for room in resumed.values() if "resync" in room].count(True) == 0, resumed
    await after.until("job_event", lambda data: data["event"] == "end")
    answer = await after.until("message", lambda data: data["sender"] == "Machine" and "word39" in data["text"])
    assert _chunks(before, after) == answer["text"]
    events = [int(data["event_id"]) for client in (before, after) for data in client.all("job_event")]
    assert events == list(range(1, len(events) + 1))
    ids = [data["event_id"] for client in (before, after) for data in client.all("token")]
    assert len(ids) == len(set(ids))


async def test_a_logout_ends_connections_everywhere(pair: Cluster, clients: Clients) -> None:
    """SOCK-3, AUTH-3: at once, long before the next look at all credentials; those of other users stay."""
    first, second = pair.replicas
    stranger = Clients(await asyncio.to_thread(signed_in, second.url, "stranger"))
    theirs = await stranger.connect(second)
    mine = [await clients.connect(replica) for replica in pair.replicas]
    async with httpx.AsyncClient(headers=clients.headers) as http:
        assert (await http.post(f"{first.url}/api/v1/logout")).status_code == 200
    for client in mine:
        assert (await client.until("closing"))["code"] == "revoked"
        await client.until_disconnected()
    await theirs.ok("join", room="user")
    await stranger.close()


async def test_connections_of_a_user_are_bounded_over_all(pair: Cluster, clients: Clients) -> None:
    """SOCK-3, ALL-6: and one that goes makes room for one elsewhere."""
    first, second = pair.replicas
    made = [await clients.connect(replica) for replica in (first, second, first)]
    with pytest.raises(socketio.exceptions.ConnectionError, match=r"connect"):
        await clients.connect(second)
    await made[0].close()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                again = await clients.connect(second)
                break
            except Exception:
                await asyncio.sleep(0.05)
    await again.ok("join", room="user")


async def test_valkey_away_while_an_answer_streams(pair: Cluster, clients: Clients, flow: Flow) -> None:
    """SOCK-3: who is there gets what it missed once it is back; who comes meanwhile is sent away to come again."""
    first, second = pair.replicas
    client = await clients.connect(first)
    await client.ok("join", room="session:s")
    gate = Gate()
    await flow.begin(second, held=gate, words=40)
    await client.until("token", count=10)
    await asyncio.to_thread(pair.valkey.kill)
    gate.open()
    refused = await clients.connect(second)
    assert (await refused.until("closing"))["code"] in ("redis_unavailable", "unavailable")
    await refused.until_disconnected()
    error = await client.error("join", room="session:other")
    assert error["code"] in ("redis_unavailable", "unavailable")
    await asyncio.to_thread(pair.valkey.start)
    answer = await client.until("message", lambda data: data["sender"] == "Machine" and "word39" in data["text"])
    assert _chunks(client) == answer["text"]
    assert client.all("resync") == []
    again = await clients.connect(second)
    await again.ok("join", room="session:s")
