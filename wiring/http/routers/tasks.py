"""Background tasks of users: flows to run soon or later, what became of them, the dead letters."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from bedplate.services.engines.redactor import Redactor as RedactorEngine
from bedplate.services.task import TaskRun, TaskStatus
from bedplate.wiring import Redactor, Sessions, Tasks, inject
from bedplate.wiring.http.schemas.tasks import FlowTaskCreate, TaskRead, TaskRunPage
from bedplate.wiring.http.security import CurrentUser
from bedplate.wiring.tasks.flows import FLOW_TASK

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/tasks", tags=["Tasks"])

_WHEN_AND_HOW = {"delay", "at", "key", "timeout", "max_attempts"}


def _read(run: TaskRun, redactor: RedactorEngine) -> TaskRead:
    return TaskRead.of(run, redactor.value(run.arguments))


@router.post("", status_code=202)
@inject
async def submit_flow(
    body: FlowTaskCreate, user: CurrentUser, session: Sessions, tasks: Tasks, redactor: Redactor
) -> TaskRead:
    """Have a flow run in the background; with a key, asking again answers with the same task."""
    flow = await session.flows.get(user.id, body.flow_id)
    asked = body.model_dump(exclude=_WHEN_AND_HOW, exclude_none=True) | {"flow_id": flow.id}
    run = await tasks.submit(
        user.id,
        FLOW_TASK,
        asked,
        delay=body.delay,
        at=body.at,
        key=body.key,
        timeout=body.timeout,
        max_attempts=body.max_attempts,
    )
    return _read(run, redactor)


@router.get("")
@inject
async def list_tasks(
    user: CurrentUser,
    tasks: Tasks,
    redactor: Redactor,
    name: str | None = None,
    status: TaskStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> TaskRunPage:
    """The caller's tasks, newest first, without results; those with the status ``failed`` are the dead letters."""
    page = await tasks.list(user.id, name=name, status=status, limit=limit, cursor=cursor)
    return TaskRunPage(items=[_read(run, redactor) for run in page.items], next_cursor=page.next_cursor)


@router.get("/{task_id}")
@inject
async def read_task(task_id: UUID, user: CurrentUser, tasks: Tasks, redactor: Redactor) -> TaskRead:
    """A task with its progress, and its result once it has one."""
    return _read(await tasks.get(user.id, task_id), redactor)


@router.post("/{task_id}/cancel")
@inject
async def cancel_task(task_id: UUID, user: CurrentUser, tasks: Tasks, redactor: Redactor) -> TaskRead:
    """Cancel a task and answer when it has ended; one that has finished stays as it is."""
    return _read(await tasks.cancel(user.id, task_id), redactor)


@router.post("/{task_id}/requeue", status_code=202)
@inject
async def requeue_task(task_id: UUID, user: CurrentUser, tasks: Tasks, redactor: Redactor) -> TaskRead:
    """Have a dead letter tried again, with all its attempts."""
    return _read(await tasks.requeue(user.id, task_id), redactor)


@router.delete("/{task_id}", status_code=204)
@inject
async def delete_task(task_id: UUID, user: CurrentUser, tasks: Tasks) -> None:
    """Delete a task that has finished."""
    await tasks.delete(user.id, task_id)
