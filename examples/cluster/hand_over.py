"""What is begun at one replica goes on at another."""

import httpx
from examples.demo.client import Client, Event
from examples.demo.processes import Place, Server
from examples.demo.steps import Steps, check

from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.signals import Gate

__all__ = ["cancel_elsewhere", "change_over", "follow_elsewhere", "lose_a_replica"]

_LAST = {"end", "error", "cancelled"}


def follow_elsewhere(steps: Steps, one: Client, other: Client, flow: str) -> None:
    with steps.step("start a job on one replica, follow it on the other") as step:
        job = one.build(flow, "Tell me something in quite a few words", "shared")
        events = list(other.events(job))
        check(events[-1][1] == "end", f"the last event is {events[-1]}")
        check(list(one.events(job)) == events, "the two replicas tell different things")
        step.saw(f"{len(events)} events, the same on both")


def change_over(steps: Steps, one: Client, other: Client, flow: str, llm: LocalLLM) -> None:
    with steps.step("leave a running job in the middle, go on elsewhere") as step:
        gate = Gate()
        llm.script(Fault(hold_after=(3, gate)))
        job = one.build(flow, "Tell me a long story", "shared")
        seen = _up_to_a_token(one, job)
        gate.open()
        rest = list(other.events(job, after=seen[-1][0]))
        check(seen + rest == list(one.events(job)), "an event is missing, or there twice")
        step.saw(f"{len(seen)} events on one, {len(rest)} on the other; none missing, none twice")


def cancel_elsewhere(steps: Steps, one: Client, other: Client, flow: str, llm: LocalLLM) -> None:
    with steps.step("cancel on one replica what runs on the other") as step:
        gate = Gate()
        llm.script(Fault(hold_after=(3, gate)))
        job = one.build(flow, "Tell me a story without an end", "shared")
        _up_to_a_token(other, job)
        check(other.call("POST", f"/api/v1/build/{job}/cancel")["success"], "it was not cancelled")
        gate.open()
        last = list(one.events(job))[-1][1]
        check(last == "cancelled", f"the last event is {last}")
        step.saw(f"both say {last!r}")


def lose_a_replica(
    steps: Steps, server: Server, place: Place, one: Client, other: Client, flow: str, llm: LocalLLM
) -> None:
    with steps.step("kill -9 the replica that runs a job") as step:
        gate = Gate()
        llm.script(Fault(hold_after=(3, gate)))
        job = one.build(flow, "Tell me something that nobody will hear", "shared")
        stream = other.events(job)
        seen = [next(stream)]
        server.process.kill()
        gate.open()
        seen += list(stream)
        check(seen[-1][1] in _LAST and seen[-1][1] != "end", f"the last event is {seen[-1]}")
        step.saw(f"who reads on the other replica is told: {seen[-1][1]!r}")
    with steps.step("go on without it, then with it again") as step:
        check(other.call("GET", "/api/v1/users/whoami")["username"], "the other replica does not answer")
        with place.serving() as again:
            kept = list(Client(again.url, like=one).events(job))
            check(kept[-1] == seen[-1], f"after its start it says {kept[-1]}")
            check(httpx.get(f"{again.url}/readyz").status_code == httpx.codes.OK, "it is not ready")
        step.saw("started again, it says the same of the job; SIGTERM ends it")


def _up_to_a_token(client: Client, job: str) -> list[Event]:
    seen: list[Event] = []
    for event in client.events(job):
        seen.append(event)
        if event[1] == "token":
            return seen
    check(False, "the job has ended before its first token")
    return seen
