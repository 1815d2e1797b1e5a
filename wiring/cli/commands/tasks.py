"""``bedplate tasks``: the background tasks of a user or of the system."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bedplate.wiring.cli.output import Format, print_json, print_table

if TYPE_CHECKING:
    from bedplate.services.task import TaskRun, TaskService

app = typer.Typer(no_args_is_help=True, add_completion=False)

User = Annotated[str | None, typer.Option("--user", help="The name of the owner; left out: the system's own.")]
TaskId = Annotated[uuid.UUID, typer.Argument(help="The id of the task.")]


class Status(StrEnum):
    """How far a task is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@app.callback()
def tasks() -> None:
    """List, show, cancel and requeue background tasks."""


@app.command("list")
def list_tasks(
    user: User = None,
    status: Annotated[Status | None, typer.Option(help="Only those; `failed` are the dead letters.")] = None,
    name: Annotated[str | None, typer.Option(help="Only those of this task.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most tasks.")] = 50,
    output: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.TABLE,
) -> None:
    """List tasks, newest first."""
    found = asyncio.run(_list(user, status, name, limit))
    if output is Format.JSON:
        print_json(found)
        return
    columns = ("id", "task", "status", "attempt", "submitted", "error")
    print_table(columns, ((str(run.id), run.name, run.status, str(run.attempt), _at(run), _why(run)) for run in found))


@app.command()
def show(task_id: TaskId, user: User = None) -> None:
    """Print all that is known of a task as JSON, its result and its traceback included; secrets are masked."""
    print_json(asyncio.run(_show(user, task_id)))


@app.command()
def cancel(task_id: TaskId, user: User = None) -> None:
    """Cancel a task, wherever it is executed, and wait until it has ended."""
    run = asyncio.run(_cancel(user, task_id))
    sys.stdout.write(f"{task_id} is {run.status}\n")


@app.command()
def requeue(
    task_id: Annotated[uuid.UUID | None, typer.Argument(help="The id of the task; left out with --all.")] = None,
    user: User = None,
    every: Annotated[bool, typer.Option("--all", help="Every task that has failed.")] = False,
) -> None:
    """Have tasks that failed tried again, with all their attempts."""
    if (task_id is None) is not every:
        raise typer.BadParameter("give the id of a task, or --all")
    count = asyncio.run(_requeue(user, task_id))
    sys.stdout.write(f"{count} requeued\n")


def _at(run: "TaskRun") -> str:
    return run.created_at.strftime("%Y-%m-%d %H:%M:%S")


def _why(run: "TaskRun") -> str:
    return f"{run.error_code}: {run.error}" if run.error else ""


async def _list(user: str | None, status: Status | None, name: str | None, limit: int) -> "list[TaskRun]":
    from bedplate.services.task import TaskStatus

    async with _tasks_of(user) as (service, owner):
        wanted = None if status is None else TaskStatus(status)
        return list((await service.list(owner, status=wanted, name=name, limit=limit)).items)


async def _show(user: str | None, task_id: uuid.UUID) -> object:
    from bedplate.wiring.cli.boot import running

    async with running("task", "redactor") as container:
        owner = None if user is None else (await container.auth().users.named(user)).id
        return container.redactor().value(await container.task().get(owner, task_id))


async def _cancel(user: str | None, task_id: uuid.UUID) -> "TaskRun":
    async with _tasks_of(user) as (service, owner):
        return await service.cancel(owner, task_id)


async def _requeue(user: str | None, task_id: uuid.UUID | None) -> int:
    async with _tasks_of(user) as (service, owner):
        if task_id is None:
            return await service.requeue_all(owner)
        await service.requeue(owner, task_id)
        return 1


@asynccontextmanager
async def _tasks_of(user: str | None) -> "AsyncIterator[tuple[TaskService, uuid.UUID | None]]":
    from bedplate.wiring.cli.boot import running

    async with running("task") as container:
        # Looking a user up needs the database alone: auth is built for it, and not started.
        yield container.task(), None if user is None else (await container.auth().users.named(user)).id
