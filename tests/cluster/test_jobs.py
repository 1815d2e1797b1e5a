"""JOB-4: jobs of replicas that are processes of their own, over PostgreSQL and Valkey, by the routes of the API."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cluster.clusters import Cluster
from tests.servers.replicas import Replica, replicas, shared_environment, signed_in

from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.servers.postgres import new_database
from bedplate.wiring.testing.servers.valkey import ValkeyServer
from bedplate.wiring.testing.signals import Gate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("cluster-jobs")]

_FLOW = Path(__file__).parents[2] / "examples" / "flows" / "memory_chatbot.json"
_LEASE = 5.0

Event = dict[str, Any]


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with LocalLLM() as llm, ValkeyServer(tmp_path_factory.mktemp("valkey"), durable=True) as valkey:
        environment = shared_environment(
            database=new_database(postgres_url),
            redis=valkey.url,
            JOB_QUEUE__BACKEND="redis",
            JOB_QUEUE__LEASE_TTL=str(_LEASE),
            JOB_QUEUE__STREAM_PATIENCE="0.2",
            SESSION__LLM_BASE_URL=llm.base_url,
            SESSION__LLM_RETRY_DELAY="0",
        )
        with replicas(folder, 3, environment) as running:
            yield Cluster(running, valkey, llm)


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    """Three replicas that run, also after one was killed."""
    return shared_cluster.revived()


@pytest.fixture
async def flow(cluster: Cluster) -> AsyncIterator["Flow"]:
    """A flow of a user, for jobs that any replica is asked for."""
    headers = await asyncio.to_thread(signed_in, cluster.replicas[0].url, "ada")
    async with Flow(headers, cluster.replicas[0], cluster.llm) as made:
        yield made


class Flow:
    """A flow that streams from the model, of one user.

    Args:
        headers: The credentials of the user.
        replica: Where it is made.
        llm: The model.
    """

    def __init__(self, headers: dict[str, str], replica: Replica, llm: LocalLLM) -> None:
        self.client = httpx.AsyncClient(headers=headers, timeout=60)
        self._replica = replica
        self._llm = llm
        self._id = ""

    async def __aenter__(self) -> "Flow":
        variable = {"name": "OPENAI_API_KEY", "value": self._llm.key, "type": "Credential", "default_fields": []}
        await self.client.post(f"{self._replica.url}/api/v1/variables/", json=variable)
        document = json.loads(_FLOW.read_text(encoding="utf-8"))
        body = {"name": document["name"], "data": document["data"]}
        made = await self.client.post(f"{self._replica.url}/api/v1/flows/", json=body)
        assert made.status_code == 201, made.text
        self._id = made.json()["id"]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.aclose()

    async def begin(self, replica: Replica, *, held: Gate | None = None, words: int = 40, session: str = "s") -> str:
        """Start a job; with a gate, the model waits at it after twenty words."""
        if held is not None:
            self._llm.script(Fault(hold_after=(20, held)))
        answer = await self.build(replica, " ".join(f"word{n}" for n in range(words)), session)
        assert answer.status_code == 200, answer.text
        job: str = answer.json()["job_id"]
        return job

    async def build(self, replica: Replica, text: str, session: str) -> httpx.Response:
        """Say something to the flow."""
        body = {"inputs": {"input_value": text, "session": session}}
        return await self.client.post(f"{replica.url}/api/v1/build/{self._id}/flow", json=body)

    async def follow(self, replica: Replica, job: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """The events of a job, each with its id."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        async with self.client.stream("GET", f"{replica.url}/api/v1/build/{job}/events", headers=headers) as answer:
            assert answer.status_code == 200
            frame: Event = {}
            async for line in answer.aiter_lines():
                if not line:
                    yield frame
                    frame = {}
                    continue
                name, _, value = line.partition(": ")
                frame[name] = int(value) if name == "id" else json.loads(value) if name == "data" else value

    async def poll(self, replica: Replica, job: str) -> list[Event]:
        """What has come since the last poll."""
        path = f"{replica.url}/api/v1/build/{job}/events"
        answer = await self.client.get(path, params={"event_delivery": "polling"})
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.split("\n\n") if line]

    async def cancel(self, replica: Replica, job: str) -> httpx.Response:
        """Cancel a job."""
        return await self.client.post(f"{replica.url}/api/v1/build/{job}/cancel")


def _tokens(events: list[Event]) -> int:
    return sum(event["event"] == "token" for event in events)


async def _read_until_held(flow: Flow, replica: Replica, job: str, tokens: int, after: int = 0) -> list[Event]:
    """The events up to so many tokens, after which nothing comes before the gate is opened."""
    read: list[Event] = []
    events = flow.follow(replica, job, after)
    async for event in events:
        read.append(event)
        if _tokens(read) >= tokens:
            break
    await events.aclose()
    return read


async def test_a_job_is_read_and_read_on_elsewhere(cluster: Cluster, flow: Flow) -> None:
    """JOB-4: begun on A, read on B, read on on C, nothing lost, nothing twice; and nobody else sees it (#7326)."""
    first, second, third = cluster.replicas
    stranger = await asyncio.to_thread(signed_in, second.url, "bob")
    gate = Gate()
    job = await flow.begin(first, held=gate)
    read = await _read_until_held(flow, second, job, 5)
    read += await _read_until_held(flow, third, job, 5, after=read[-1]["id"])
    path = f"{second.url}/api/v1/build/{job}"
    async with httpx.AsyncClient(headers=stranger) as other:
        assert (await other.get(f"{path}/events")).status_code == 404
        assert (await other.post(f"{path}/cancel")).status_code == 404
    gate.open()
    read += [event async for event in flow.follow(third, job, read[-1]["id"])]
    assert [event["id"] for event in read] == list(range(1, len(read) + 1))
    assert read[-1]["event"] == "end"
    for replica in (first, second):
        assert [event async for event in flow.follow(replica, job)] == read


async def test_polls_go_on_wherever_they_come(cluster: Cluster, flow: Flow) -> None:
    """JOB-4, JOB-2: a caller that polls through a balancer gets each event once."""
    job = await flow.begin(cluster.replicas[0])
    events: list[Event] = []
    turn = 0
    while not events or events[-1]["event"] != "end":
        events += await flow.poll(cluster.replicas[turn % 3], job)
        turn += 1
    whole = [{"event": event["event"], "data": event["data"]} async for event in flow.follow(cluster.replicas[1], job)]
    assert events == whole


async def test_a_job_is_cancelled_from_elsewhere(cluster: Cluster, flow: Flow) -> None:
    """JOB-4, JOB-2: the answer comes when it has ended (#7579, #13202)."""
    first, second, _ = cluster.replicas
    gate = Gate()
    job = await flow.begin(first, held=gate)
    await _read_until_held(flow, second, job, 5)
    answer = await flow.cancel(second, job)
    assert answer.status_code == 200, answer.text
    ends = [[event async for event in flow.follow(replica, job)][-1]["event"] for replica in (first, second)]
    assert ends == ["cancelled", "cancelled"]
    gate.open()


async def test_valkey_away_under_load(cluster: Cluster, flow: Flow) -> None:
    """JOB-4, ALL-5: jobs that go on writing end as interrupted, none loses an event, and all works again after it."""
    first, second, _ = cluster.replicas
    gates = [Gate() for _ in range(4)]
    jobs = [
        await flow.begin(first, held=gate, session=f"s{number}", words=8_000 if number == 0 else 40)
        for number, gate in enumerate(gates)
    ]
    seen = [await _read_until_held(flow, second, job, 10) for job in jobs]
    finished = await flow.begin(first, session="finished")
    whole = [event async for event in flow.follow(second, finished)]
    readers = [asyncio.create_task(_all(flow, second, *one)) for one in zip(jobs, seen, strict=True)]
    await asyncio.to_thread(cluster.valkey.kill)
    for gate in gates:
        gate.open()
    logs = await asyncio.gather(*readers)
    for events in logs:
        assert events[-1]["event"] in ("end", "error")  # those with little left to write come to their end
        assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert (logs[0][-1]["event"], logs[0][-1]["data"]["code"]) == ("error", "interrupted")
    for replica in (first, second):
        await _status(flow, f"{replica.url}/readyz", 503)
        refused = await flow.build(replica, "word", "refused")
        assert refused.status_code == 503, refused.text
        assert "retry-after" in refused.headers
        for job, log in [*zip(jobs, logs, strict=True), (finished, whole)]:
            assert [event async for event in flow.follow(replica, job)] == log
    await asyncio.to_thread(cluster.valkey.start)
    for replica in (first, second):
        await _status(flow, f"{replica.url}/readyz", 200)
    job = await flow.begin(second, session="again")
    assert [event async for event in flow.follow(first, job)][-1]["event"] == "end"


async def test_the_replica_is_killed(cluster: Cluster, flow: Flow) -> None:
    """JOB-4, JOB-3: readers elsewhere get all that anybody got, and the end within the lease."""
    first, second, third = cluster.replicas
    gate = Gate()
    job = await flow.begin(third, held=gate)
    seen = await _read_until_held(flow, third, job, 15)
    here = flow.follow(second, job)
    read = [await anext(here) for _ in seen]
    assert read == seen
    await asyncio.to_thread(third.kill)
    killed = time.monotonic()
    read += [event async for event in here]
    assert time.monotonic() - killed < _LEASE + 10.0  # the machine of tests may be slow
    assert (read[-1]["event"], read[-1]["data"]["code"]) == ("error", "interrupted")
    assert [event["id"] for event in read[:-1]] == list(range(1, len(read)))
    assert [event async for event in flow.follow(first, job)] == read
    assert (await flow.cancel(first, job)).status_code == 200
    gate.open()


async def _all(flow: Flow, replica: Replica, job: str, seen: list[Event]) -> list[Event]:
    return [*seen, *[event async for event in flow.follow(replica, job, seen[-1]["id"])]]


async def _status(flow: Flow, url: str, status: int) -> None:
    async with asyncio.timeout(60):
        # The probe of a platform, which asks again and again.
        while (await flow.client.get(url)).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
