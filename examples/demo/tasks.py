"""Runs a flow as a task: in one worker until that is killed, then in another."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol

from examples.demo.client import Client
from examples.demo.processes import Running
from examples.demo.steps import DifferenceError, Steps, check

from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.signals import Gate

__all__ = ["survive_a_worker"]

_SECONDS = 60


class Workplace(Protocol):
    """Where workers are started."""

    def working(self, name: str) -> AbstractContextManager[Running]:
        """Start one, for the length of a block."""
        ...


def survive_a_worker(steps: Steps, client: Client, flow: str, place: Workplace, llm: LocalLLM) -> None:
    with ExitStack() as workers:
        with steps.step("start a worker") as step:
            first = workers.enter_context(place.working("first"))
            step.saw("`bedplate worker`, beside a server that executes no tasks itself")
        gate = Gate()
        with steps.step("submit the flow as a task, and watch its progress") as step:
            llm.script(Fault(hold_after=(3, gate)))
            body = {"flow_id": flow, "input_value": "Take your time", "session_id": "a task"}
            task = client.call("POST", "/api/v1/tasks", status=202, json=body)["id"]
            now = _wait(client, task, lambda now: (now["progress"] or {}).get("message") == "3 of 5 components")
            check(now["status"] == "running", f"the task is {now['status']}")
            step.saw(f"running, {now['progress']['message']}; the model is in the middle of its answer")
        with steps.step("start another worker, and kill the first with -9") as step:
            workers.enter_context(place.working("second"))
            first.kill()
            gate.open()
            step.saw("in the middle of the task, which it takes with it")
        with steps.step("see the other worker finish the task") as step:
            now = _wait(client, task, lambda now: now["finished_at"] is not None)
            check(now["status"] == "succeeded", f"the task has {now['status']}: {now['error']}")
            check(now["attempt"] > 1, "it was the first attempt")
            said = now["result"]["outputs"][0]["outputs"][0]["results"]["message"]["text"]
            step.saw(f"attempt {now['attempt']}: {said!r}")


def _wait(client: Client, task: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Look at a task until it has got so far."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        now: dict[str, Any] = client.call("GET", f"/api/v1/tasks/{task}")
        if reached(now):
            return now
        time.sleep(0.05)
    raise DifferenceError(f"the task has not got so far: {now}")
