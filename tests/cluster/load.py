"""Clients that write and read through replicas, and remember what was acknowledged to them."""

import asyncio
import contextlib
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import httpx

from bedplate.wiring.testing.flows import Flow

__all__ = ["Load"]

_PATIENCE = 60.0
_TERMINAL = ("end", "error")


CHAT = (
    Flow()
    .node("in", "ChatInput", input_value="hello")
    .node("out", "ChatOutput")
    .edge("in", "message", "out", "input_value")
    .data
)
"""A flow that answers with what it is asked."""


class Load:
    """Users of some replicas, each of whom makes flows and files and reads them again.

    An answer must be a success, or a 503 that says when to come back, in time: any other is a violation. A connection
    that breaks is one too, unless a replica may die.

    Args:
        urls: The replicas.
        headers: The credentials of a user that all of them know.
        seed: What the order of the calls derives from.
        files: Whether files are saved and read as well.
        jobs: Whether flows are run as well, and their events read.
        replicas_die: Whether a connection may break or be refused.

    Attributes:
        violations: What should not have happened.
        answers: How often each status was answered; 0: the connection broke.
        ends: How many jobs ended in which way.
        slowest: Seconds of the slowest answer.
    """

    def __init__(
        self,
        urls: Sequence[str],
        headers: dict[str, str],
        *,
        seed: int = 0,
        files: bool = True,
        jobs: bool = False,
        replicas_die: bool = False,
    ) -> None:
        self._urls = list(urls)
        self._headers = headers
        self._random = random.Random(seed)
        self._replicas_die = replicas_die
        self._kinds = [self._make_flow, self._read_flow]
        self._kinds += [self._save_file, self._read_file] if files else []
        self._kinds += [self._run_flow] if jobs else []
        self._chat: str | None = None
        self._flows: dict[str, str] = {}
        self._files: dict[str, bytes] = {}
        self._changed = asyncio.Condition()
        self.violations: list[str] = []
        self.answers: Counter[int] = Counter()
        self.ends: Counter[str] = Counter()
        self.slowest = 0.0

    @contextlib.asynccontextmanager
    async def running(self, clients: int = 4) -> AsyncIterator[None]:
        """Have so many clients work for the length of the block."""
        async with httpx.AsyncClient(headers=self._headers, timeout=_PATIENCE) as client:
            tasks = [asyncio.create_task(self._work(client)) for _ in range(clients)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                for end in await asyncio.gather(*tasks, return_exceptions=True):
                    if not isinstance(end, asyncio.CancelledError):
                        self.violations.append(f"a client ended by {end!r}")

    async def until(self, status: int, more: int = 1) -> None:
        """Wait until this status was answered so many more times."""
        wanted = self.answers[status] + more
        async with asyncio.timeout(_PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self.answers[status] >= wanted or self.violations)

    async def until_answered(self) -> None:
        """Wait until something was answered well by each kind of call."""
        for _ in self._kinds:
            await self.until(200)
            await self.until(201)

    async def verify(self) -> None:
        """Read back all that was acknowledged; what is missing or other than it was is a violation."""
        async with httpx.AsyncClient(headers=self._headers, timeout=_PATIENCE) as client:
            for id_, name in self._flows.items():
                answer = await client.get(f"{self._urls[-1]}/api/v1/flows/{id_}")
                if answer.status_code != 200 or answer.json()["name"] != name:
                    self.violations.append(f"flow {id_} was acknowledged and is lost: {answer.status_code}")
            for id_, content in self._files.items():
                answer = await client.get(f"{self._urls[-1]}/api/v2/files/{id_}")
                if answer.status_code != 200 or answer.content != content:
                    self.violations.append(f"file {id_} was acknowledged and is lost: {answer.status_code}")

    async def _work(self, client: httpx.AsyncClient) -> None:
        while True:
            await self._random.choice(self._kinds)(client)
            await asyncio.sleep(0.005)

    async def _make_flow(self, client: httpx.AsyncClient) -> None:
        name = f"flow {uuid.uuid4()}"
        answer = await self._call(
            client, "POST", "/api/v1/flows/", json={"name": name, "data": {"nodes": [], "edges": []}}
        )
        if answer is not None:
            self._flows[answer.json()["id"]] = name

    async def _read_flow(self, client: httpx.AsyncClient) -> None:
        if self._flows:
            id_ = self._random.choice(list(self._flows))
            await self._call(client, "GET", f"/api/v1/flows/{id_}")

    async def _save_file(self, client: httpx.AsyncClient) -> None:
        content = self._random.randbytes(self._random.randrange(1, 20_000))
        name = f"{uuid.uuid4()}.bin"
        answer = await self._call(client, "POST", "/api/v2/files/", files={"file": (name, content)})
        if answer is not None:
            self._files[answer.json()["id"]] = content

    async def _read_file(self, client: httpx.AsyncClient) -> None:
        if self._files:
            id_, content = self._random.choice(list(self._files.items()))
            answer = await self._call(client, "GET", f"/api/v2/files/{id_}")
            if answer is not None and answer.content != content:
                self.violations.append(f"file {id_} has another content than was saved")

    async def _run_flow(self, client: httpx.AsyncClient) -> None:
        if self._chat is None:
            body = {"name": f"chat {uuid.uuid4()}", "data": CHAT}
            answer = await self._call(client, "POST", "/api/v1/flows/", json=body)
            self._chat = self._chat or (answer and answer.json()["id"])
        else:
            answer = await self._call(client, "POST", f"/api/v1/build/{self._chat}/flow", json={})
            if answer is not None:
                await self._follow(client, answer.json()["job_id"])

    async def _follow(self, client: httpx.AsyncClient, job: str) -> None:
        """Read the events of a job from any replica, on another one after each break, to its end."""
        seen: list[int] = []
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            url = f"{self._random.choice(self._urls)}/api/v1/build/{job}/events"
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(seen[-1])} if seen else {})
            try:
                async with client.stream("GET", url, headers=headers) as answer:
                    if answer.is_success and await self._read_events(job, answer, seen):
                        return
                    if not answer.is_success and answer.status_code != 503:
                        self.violations.append(f"the events of job {job}: {answer.status_code}")
                        return
            except httpx.TransportError as error:
                if not self._replicas_die:
                    self.violations.append(f"the events of job {job}: {error!r}")
                    return
            await asyncio.sleep(0.1)
        self.violations.append(f"job {job} was acknowledged and has no end: {seen[-1:]}")

    async def _read_events(self, job: str, answer: httpx.Response, seen: list[int]) -> bool:
        """Whether the last one came; each must come once, and in order."""
        async for line in answer.aiter_lines():
            if line.startswith("id:"):
                number = int(line.removeprefix("id:"))
                if seen and number <= seen[-1]:
                    self.violations.append(f"job {job}: event {number} after {seen[-1:]}")
                seen.append(number)
            if line.removeprefix("event:").strip() in _TERMINAL:
                self.ends[line.removeprefix("event:").strip()] += 1
                return True
        return False

    async def _call(self, client: httpx.AsyncClient, method: str, path: str, **what: object) -> httpx.Response | None:
        """The answer if it is a success."""
        begun, answer, status = time.perf_counter(), None, 0
        try:
            answer = await client.request(method, self._random.choice(self._urls) + path, **what)  # type: ignore[arg-type]
            status = answer.status_code
        except httpx.TransportError as error:
            # Of a file whose store went away while it was read there is nothing left but to break off.
            broken_off = method == "GET" and isinstance(error, httpx.RemoteProtocolError)
            if not self._replicas_die and not broken_off:
                self.violations.append(f"{method} {path}: {error!r}")
        self.slowest = max(self.slowest, time.perf_counter() - begun)
        if answer is not None and not answer.is_success and (status != 503 or "retry-after" not in answer.headers):
            self.violations.append(f"{method} {path}: {status} {answer.text[:300]}")
        async with self._changed:
            self.answers[status] += 1
            self._changed.notify_all()
        return answer if answer is not None and answer.is_success else None
