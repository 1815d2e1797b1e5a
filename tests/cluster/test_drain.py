"""SIGTERM: replicas that are restarted one after the other, and what clients see of it."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.cluster.load import Load
from tests.cluster.test_jobs import Cluster, Flow
from tests.integration.socket.conftest import PATIENCE, Client
from tests.servers.replicas import Replica, signed_in

from bedplate.wiring.testing.flows import Flow as FlowText
from bedplate.wiring.testing.signals import Gate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280), pytest.mark.xdist_group("cluster-pair")]


class Balancer:
    """What stands before replicas: it knows which of them say that they are ready.

    Attributes:
        ready: The addresses of those.
    """

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        self.ready = list(urls)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask them, again and again, for the length of the block."""
        async with httpx.AsyncClient() as client:
            tasks = [asyncio.create_task(self._probe(client, url)) for url in self._urls]
            yield
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _probe(self, client: httpx.AsyncClient, url: str) -> None:
        while True:
            try:
                up = (await client.get(f"{url}/readyz", timeout=10)).status_code == 200
            except httpx.TransportError:
                up = False
            if up and url not in self.ready:
                self.ready.append(url)
            elif not up and url in self.ready:
                self.ready.remove(url)
            await asyncio.sleep(0.05)


class BalancedLoad(Load):
    """Clients whose requests go to replicas that are ready."""

    def __init__(self, balancer: Balancer, headers: dict[str, str], flow: str, key: str) -> None:
        super().__init__(balancer.ready, headers, files=False)
        self._urls = balancer.ready
        self._flow = flow
        self._key = {"x-api-key": key}
        self.said: list[str] = []
        self._kinds.append(self._say)

    async def _say(self, client: httpx.AsyncClient) -> None:
        text = f"said {uuid.uuid4()}"
        body = {"input_value": text, "input_type": "chat", "output_type": "chat", "session_id": "s"}
        if await self._call(client, "POST", f"/api/v1/run/{self._flow}", json=body, headers=self._key) is not None:
            self.said.append(text)


class Listener:
    """A client that is in the room of a session, and comes back when it is sent elsewhere."""

    def __init__(self, balancer: Balancer, headers: dict[str, str]) -> None:
        self._balancer = balancer
        self._token = headers["Authorization"].removeprefix("Bearer ")
        self.heard: list[dict[str, Any]] = []
        self.lost: list[Any] = []
        self.reasons: list[str] = []
        self._last: dict[str, str | None] = {"session:s": None}
        self._all = asyncio.Event()
        self._wanted: set[str] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen for the length of the block."""
        there = asyncio.Event()
        task = asyncio.create_task(self._listen(there))
        async with asyncio.timeout(PATIENCE):
            await there.wait()
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def until_all(self, texts: list[str]) -> None:
        """Wait until each of these has been heard as the user's and as the answer."""
        async with asyncio.timeout(PATIENCE):
            while not all(self.count(text) == 2 for text in texts):
                self._all.clear()
                await self._all.wait()

    def count(self, text: str) -> int:
        return sum(message["text"] == text for message in self.heard)

    async def _listen(self, there: asyncio.Event) -> None:
        while True:
            client = Client(self._balancer.ready[-1], "websocket")
            client.sio.on("message", self._on_message)
            client.sio.on("resync", self.lost.append)
            try:
                await client.connect({"token": self._token, "resume": self._last})
                resumed = (await client.until("resumed"))["rooms"]["session:s"]
                self.lost += [resumed] if resumed["resync"] else []
                self._last["session:s"] = self._last["session:s"] or resumed["last_event_id"]
                there.set()
                async with client._changed:
                    await client._changed.wait_for(lambda client=client: client.reason is not None)  # type: ignore[misc]
                self.reasons += [data["code"] for data in client.all("closing")]
            except Exception:
                await asyncio.sleep(0.1)
            finally:
                await client.close()

    async def _on_message(self, message: dict[str, Any]) -> None:
        self._last["session:s"] = message["event_id"]
        self.heard.append(message)
        self._all.set()


@pytest.fixture
async def headers(pair: Cluster) -> dict[str, str]:
    return await asyncio.to_thread(signed_in, pair.replicas[0].url, "ada")


async def _prepare(replica: Replica, headers: dict[str, str]) -> tuple[str, str]:
    """A flow that says what it is told, and a key to run it with."""
    document = FlowText().node("in", "ChatInput").node("out", "ChatOutput").edge("in", "message", "out", "input_value")
    async with httpx.AsyncClient(base_url=replica.url, headers=headers) as client:
        made = await client.post("/api/v1/flows/", json={"name": "echo", "data": document.data})
        assert made.status_code == 201, made.text
        key = await client.post("/api/v1/api_key/", json={"name": "runs"})
        return made.json()["id"], key.json()["api_key"]


async def test_readiness_goes_first_and_jobs_may_end(pair: Cluster, headers: dict[str, str]) -> None:
    """JOB-3, SOCK-2: it answers as before while balancers learn of it; a job ends well, or tells its reader."""
    replica, other = pair.replicas
    gates = Gate(), Gate()
    async with Flow(headers, replica, pair.llm) as flow:
        jobs = [await flow.begin(replica, held=gate, session=f"s{n}") for n, gate in enumerate(gates)]
        readers = [asyncio.create_task(_read(flow, replica, job)) for job in jobs]
        for gate in gates:
            await gate.reached.wait()
        client = await Client(replica.url, "websocket").connect({"token": headers["Authorization"].split()[1]})
        stopping = asyncio.create_task(asyncio.to_thread(replica.terminate))
        async with asyncio.timeout(PATIENCE):
            while True:
                probe = await flow.client.get(f"{replica.url}/readyz")
                if probe.status_code == 503:
                    break
        assert probe.json() == {"status": "draining"}
        answer = await flow.client.get(f"{replica.url}/api/v1/users/whoami")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert client.all("closing") == []
        assert (await client.until("closing"))["code"] == "draining"
        await client.until_disconnected()
        await client.close()
        gates[0].open()
        ends = [events[-1] for events in await asyncio.gather(*readers)]
        assert ends[0]["event"] == "end"
        assert (ends[1]["event"], ends[1]["data"]["code"]) == ("error", "interrupted")
        assert await stopping == 0
        for job, end in zip(jobs, ends, strict=True):
            assert [event async for event in flow.follow(other, job)][-1] == end
        gates[1].open()


async def _read(flow: Flow, replica: Replica, job: str) -> list[dict[str, Any]]:
    return [event async for event in flow.follow(replica, job)]


async def test_a_rolling_restart_loses_nothing(pair: Cluster, headers: dict[str, str]) -> None:
    """JOB-3, SOCK-3, ALL-5: no request fails, no message is lost or told twice, no client learns of a gap."""
    balancer = Balancer([replica.url for replica in pair.replicas])
    load = BalancedLoad(balancer, headers, *await _prepare(pair.replicas[0], headers))
    listener = Listener(balancer, headers)
    async with balancer.running(), listener.running():
        async with load.running(2):
            await load.until(200, more=20)
            for replica in pair.replicas:
                assert await asyncio.to_thread(replica.terminate) == 0
                replica.begin()
                await asyncio.to_thread(replica.wait_ready)
                await load.until(200, more=20)
        await listener.until_all(load.said)
    assert load.violations == []
    assert load.answers[503] == load.answers[0] == 0
    assert listener.lost == []
    assert {listener.count(text) for text in load.said} == {2}
    assert "draining" in listener.reasons
    await load.verify()
    assert load.violations == []
