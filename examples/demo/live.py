"""Follows a run over Socket.IO, and compares it with what HTTP says of it."""

import asyncio
from typing import Any

import socketio
from examples.demo.client import Client, Event
from examples.demo.steps import Steps, check

__all__ = ["follow"]

_SECONDS = 30
_LAST = {"end", "error", "cancelled"}


def follow(steps: Steps, client: Client, flow: str, *, again: Client | None = None) -> None:
    """Run a flow, and come back to it, at the server of another client if there is one."""
    token = client.http.headers["Authorization"].removeprefix("Bearer ")
    url = str(client.http.base_url)
    with steps.step("run the flow over Socket.IO, and follow it") as step:
        job, told = asyncio.run(_run(url, token, flow))
        step.saw(f"{len(told)} events, the last one {told[-1][1]!r}")
    with steps.step("read the same run over HTTP") as step:
        read = list(client.events(job))
        check(told == read, f"Socket.IO told {told}, HTTP {read}")
        step.saw("the same ids, types and data")
    with steps.step("come back to it over Socket.IO, from the middle") as step:
        middle = told[len(told) // 2][0]
        rest = asyncio.run(_come_back(str((again or client).http.base_url), token, job, middle))
        check(rest == told[len(told) // 2 + 1 :], "what comes after the middle differs")
        step.saw(f"after {middle}: {len(rest)} events, the same as before")


async def _run(url: str, token: str, flow: str) -> tuple[str, list[Event]]:
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(url, auth={"token": token}, transports=["websocket"])
        asked = {"flow_id": flow, "input_value": "Tell me something live", "session_id": "live", "kind": "build"}
        answer = await client.call("run", asked)
        check(answer["ok"], f"the run was refused: {answer}")
        return answer["job_id"], await _to_the_end(client, answer["job_id"])


async def _come_back(url: str, token: str, job: str, after: int | None) -> list[Event]:
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(url, auth={"token": token}, transports=["websocket"])
        answer = await client.call("join", {"room": f"job:{job}", "last_event_id": after})
        check(answer["ok"], f"the room is closed: {answer}")
        return await _to_the_end(client, job)


async def _to_the_end(client: Any, job: str) -> list[Event]:
    """The events of a job, as they are told, to the last."""
    told: list[Event] = []
    while not told or told[-1][1] not in _LAST:
        name, data = await client.receive(timeout=_SECONDS)
        if name == "job_event" and data["job_id"] == job:
            told.append((int(data["event_id"]), data["event"], data["data"]))
    return told
