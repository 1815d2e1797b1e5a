"""Flows as tasks over HTTP: submitted, followed, cancelled, and what is left of them."""

import uuid
from typing import Any

import httpx
import pytest
from tests.integration.http.conftest import Upload

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.task import TaskContext, default_registry
from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.signals import Gate
from bedplate.wiring.testing.task.harness import until

Task = dict[str, Any]
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def container_settings(container_settings: dict[str, Any]) -> dict[str, Any]:
    return container_settings | {"task": {"poll_interval": 0.05, "progress_interval": 0.0, "retry_delay": 0.0}}


async def _submitted(client: httpx.AsyncClient, flow: Task, **body: Any) -> Task:
    answer = await client.post("/api/v1/tasks", json={"flow_id": flow["id"], "input_value": "Hello"} | body)
    assert answer.status_code == 202, answer.text
    task: Task = answer.json()
    return task


async def _read(client: httpx.AsyncClient, task: Task) -> Task:
    answer = await client.get(f"/api/v1/tasks/{task['id']}")
    assert answer.status_code == 200, answer.text
    read: Task = answer.json()
    return read


async def _ended(client: httpx.AsyncClient, task: Task) -> Task:
    async def ended() -> Task | None:
        read = await _read(client, task)
        return read if read["finished_at"] else None

    found: Task = await until(ended)
    return found


async def test_a_flow_runs_as_a_task(as_user: httpx.AsyncClient, upload: Upload) -> None:
    """TASK-1: its result is what /run answers, its run is in the chat and in the traces like any other."""
    flow = await upload(as_user)
    task = await _ended(as_user, await _submitted(as_user, flow, session_id="s"))
    assert (task["status"], task["name"], task["attempt"]) == ("succeeded", "bedplate.flow", 1)
    outputs = task["result"]["outputs"][0]["outputs"][0]
    assert "You said: Hello" in str(outputs)
    assert (task["result"]["session_id"], task["progress"]["fraction"]) == ("s", 1.0)
    events = (await as_user.get(f"/api/v1/build/{task['result']['job_id']}/events")).text
    assert events.rstrip().endswith('{"event":"end","data":{}}')
    messages = (await as_user.get("/api/v1/monitor/messages?session_id=s")).json()
    assert messages[0]["text"] == "Hello"
    assert len((await as_user.get("/api/v1/monitor/traces")).json()["items"]) == 1


async def test_progress_is_seen_and_a_cancel_confirmed(
    as_user: httpx.AsyncClient, upload: Upload, llm: LocalLLM
) -> None:
    """TASK-1: the run of the flow ends with the task."""
    gate = Gate()
    llm.script(Fault(hold_after=(1, gate)))
    task = await _submitted(as_user, await upload(as_user))
    await gate.reached.wait()

    async def told() -> bool:
        return (await _read(as_user, task))["progress"] is not None

    await until(told)
    seen = await _read(as_user, task)
    assert seen["status"] == "running"
    assert 0 <= seen["progress"]["fraction"] < 1
    assert "components" in seen["progress"]["message"]
    answer = await as_user.post(f"/api/v1/tasks/{task['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    gate.open()
    again = await as_user.post(f"/api/v1/tasks/{task['id']}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")


async def test_a_failing_flow_is_tried_again_and_ends_as_a_dead_letter(
    as_user: httpx.AsyncClient, upload: Upload, llm: LocalLLM
) -> None:
    """TASK-2: requeued, it succeeds when what it needs is back."""
    flow = await upload(as_user)
    llm.script(*(Fault(status=400) for _ in range(2)))
    task = await _ended(as_user, await _submitted(as_user, flow, max_attempts=2))
    assert (task["status"], task["failures"], task["error_code"]) == ("failed", 2, "flow_run")
    assert "traceback" not in task
    dead = (await as_user.get("/api/v1/tasks", params={"status": "failed"})).json()
    assert [one["id"] for one in dead["items"]] == [task["id"]]
    answer = await as_user.post(f"/api/v1/tasks/{task['id']}/requeue")
    assert answer.status_code == 202, answer.text
    assert (await _ended(as_user, task))["status"] == "succeeded"
    assert (await as_user.post(f"/api/v1/tasks/{task['id']}/requeue")).status_code == 409


async def test_a_key_makes_a_submit_idempotent(as_user: httpx.AsyncClient, upload: Upload) -> None:
    """TASK-2: a client that is not sure whether its request arrived sends it again."""
    flow = await upload(as_user)
    tasks = [await _submitted(as_user, flow, key="k", delay=3600) for _ in range(3)]
    assert len({task["id"] for task in tasks}) == 1
    other = await as_user.post("/api/v1/tasks", json={"flow_id": flow["id"], "input_value": "else", "key": "k"})
    assert other.status_code == 409


async def test_pages_and_deletion(as_user: httpx.AsyncClient, upload: Upload) -> None:
    flow = await upload(as_user)
    tasks = [await _submitted(as_user, flow, delay=3600) for _ in range(3)]
    first = (await as_user.get("/api/v1/tasks", params={"limit": 2})).json()
    rest = (await as_user.get("/api/v1/tasks", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == [task["id"] for task in reversed(tasks)]
    assert rest["next_cursor"] is None
    path = f"/api/v1/tasks/{tasks[0]['id']}"
    assert (await as_user.delete(path)).status_code == 409
    await as_user.post(f"{path}/cancel")
    assert (await as_user.delete(path)).status_code == 204
    assert (await as_user.get(path)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"delay": -1},
        {"delay": "soon"},
        {"at": "2030-01-01T00:00:00"},
        {"max_attempts": 0},
        {"max_attempts": 11},
        {"timeout": 0},
        {"input_type": "dance"},
        {"priority": 5},
        {"flow_id": "x"},
        {"tweaks": []},
    ],
)
async def test_bad_tasks_are_a_422(as_user: httpx.AsyncClient, upload: Upload, body: dict[str, Any]) -> None:
    flow = await upload(as_user)
    answer = await as_user.post("/api/v1/tasks", json={"flow_id": flow["id"]} | body)
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"delay": 1e300},
        {"at": "9999-01-01T00:00:00Z"},
        {"delay": 1, "at": "2030-01-01T00:00:00Z"},
        {"key": ""},
        {"key": "x" * 500},
        {"key": "a\0b"},
    ],
)
async def test_tasks_that_make_no_sense_are_a_400(
    as_user: httpx.AsyncClient, upload: Upload, body: dict[str, Any]
) -> None:
    flow = await upload(as_user)
    answer = await as_user.post("/api/v1/tasks", json={"flow_id": flow["id"]} | body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"] == "urn:bedplate:error:task_schedule"


async def test_large_inputs_and_unknown_flows_are_refused(as_user: httpx.AsyncClient, upload: Upload) -> None:
    flow = await upload(as_user)
    answer = await as_user.post("/api/v1/tasks", json={"flow_id": flow["id"], "input_value": "x" * 300_000})
    assert answer.status_code == 413
    assert (await as_user.post("/api/v1/tasks", json={"flow_id": NOBODY})).status_code == 404
    assert (await as_user.get("/api/v1/tasks")).json()["items"] == []


async def test_secrets_in_arguments_are_not_shown(as_user: httpx.AsyncClient, upload: Upload, llm: LocalLLM) -> None:
    """TRACE-4: the task gets what was sent, and whoever looks at it does not."""
    flow = await upload(as_user)
    task = await _submitted(as_user, flow, input_value=f"my key is {llm.key}", delay=3600)
    assert llm.key not in str(task)
    assert llm.key not in (await as_user.get("/api/v1/tasks")).text


async def test_flow_that_is_gone_when_its_task_begins(as_user: httpx.AsyncClient, upload: Upload) -> None:
    flow = await upload(as_user)
    task = await _submitted(as_user, flow, delay=0.3)
    await as_user.delete(f"/api/v1/flows/{flow['id']}")
    ended = await _ended(as_user, task)
    assert (ended["status"], ended["error_code"], ended["attempt"]) == ("failed", "flow_not_found", 1)


async def test_a_task_of_the_system_cannot_run_a_flow(container: ApplicationContainer, clients: Clients) -> None:
    tasks = container.task()
    run = await tasks.wait(None, (await tasks.submit(None, "bedplate.flow", {"flow_id": uuid.uuid4()})).id)
    assert "owner" in str(run.error)


async def test_tasks_of_an_app_are_listed_beside(
    as_user: httpx.AsyncClient, user: User, container: ApplicationContainer
) -> None:
    """Where a function failed is for the operator, and not in the answer."""

    @default_registry.task("tests.of_an_app")
    async def of_an_app(context: TaskContext) -> None:
        raise ValueError("/srv/secret/path")

    try:
        await container.task().submit(user.id, of_an_app)
        task = await _ended(as_user, (await as_user.get("/api/v1/tasks")).json()["items"][0])
    finally:
        default_registry.remove("tests.of_an_app")
    assert task["error"] == "The task failed: ValueError."
    assert "/srv" not in str(task)


async def test_flow_of_a_deactivated_user_does_not_run(
    clients: Clients, as_user: httpx.AsyncClient, user: User, upload: Upload, container: ApplicationContainer
) -> None:
    """ALL-4: what was put off is not run for somebody who may not run it any more."""
    flow = await upload(as_user)
    task = await _submitted(as_user, flow, delay=0.3)
    superuser = await clients.superuser()
    assert (await superuser.patch(f"/api/v1/users/{user.id}", json={"is_active": False})).status_code == 200
    run = await container.task().wait(user.id, uuid.UUID(task["id"]))
    assert (run.status, run.error_code) == ("failed", "task_given_up")
    assert "deactivated" in str(run.error)
