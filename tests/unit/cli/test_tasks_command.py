"""``bedplate tasks``: what an operator sees and does of background tasks."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.settings import SettingsService
from bedplate.services.task import default_registry
from bedplate.wiring.testing.database import copy_database

Bedplate = Callable[..., Any]


@pytest.fixture
def made(folder: Path, migrated_database: Path) -> Iterator[dict[str, uuid.UUID]]:
    """A dead letter and a waiting task of the system, and a dead letter of a user called ada."""
    copy_database(migrated_database, folder / "data")

    @default_registry.task("tests.failing")
    async def failing(text: str) -> None:
        raise ValueError(f"failed with {text}")

    async def make() -> dict[str, uuid.UUID]:
        settings = Singleton(SettingsService, profile="test", data_dir=folder / "data")
        async with ApplicationContainer(settings=settings).running("task_worker", "auth") as container:
            ada = (await container.auth().create_superuser("ada", "a password of ada")).id
            tasks = container.task()
            runs = {
                "dead": await tasks.submit(None, failing, {"text": "paper"}),
                "waiting": await tasks.submit(None, failing, {"text": "later"}, delay=3600),
                "ada's": await tasks.submit(ada, failing, {"text": "ink"}),
            }
            await tasks.wait(None, runs["dead"].id)
            await tasks.wait(ada, runs["ada's"].id)
            return {name: run.id for name, run in runs.items()}

    yield asyncio.run(make())
    default_registry.remove("tests.failing")


def _listed(bedplate: Bedplate, *args: str) -> dict[str, str]:
    result = bedplate("tasks", "list", "--format", "json", *args)
    assert result.code == 0, result.err
    return {run["id"]: run["status"] for run in json.loads(result.out)}


def test_list_shows_each_owners_own(bedplate: Bedplate, made: dict[str, uuid.UUID]) -> None:
    """TASK-2: the dead letters by their status."""
    assert _listed(bedplate) == {str(made["dead"]): "failed", str(made["waiting"]): "queued"}
    assert _listed(bedplate, "--status", "failed") == {str(made["dead"]): "failed"}
    assert _listed(bedplate, "--user", "ada") == {str(made["ada's"]): "failed"}
    assert _listed(bedplate, "--name", "nothing") == {}
    table = bedplate("tasks", "list").out
    assert "task_failed: The task failed: ValueError." in table


def test_show_has_the_traceback(bedplate: Bedplate, made: dict[str, uuid.UUID]) -> None:
    """TASK-1: which the REST API does not show."""
    shown = json.loads(bedplate("tasks", "show", str(made["dead"])).out)
    assert "ValueError: failed with paper" in shown["traceback"]
    assert shown["arguments"] == {"text": "paper"}


def test_requeue_and_cancel(bedplate: Bedplate, made: dict[str, uuid.UUID]) -> None:
    """TASK-2: for a worker to execute; the command itself executes nothing."""
    assert bedplate("tasks", "requeue", str(made["dead"])).out == "1 requeued\n"
    assert bedplate("tasks", "requeue", "--all", "--user", "ada").out == "1 requeued\n"
    assert set(_listed(bedplate).values()) == {"queued"}
    assert bedplate("tasks", "cancel", str(made["waiting"])).out == f"{made['waiting']} is cancelled\n"


def test_what_is_wrong_is_said(bedplate: Bedplate, made: dict[str, uuid.UUID]) -> None:
    foreign = bedplate("tasks", "show", str(made["ada's"]))
    assert (foreign.code, "there is no task" in foreign.err) == (1, True)
    assert bedplate("tasks", "show", "no-id").code == 2
    assert bedplate("tasks", "requeue").code == 2
    assert bedplate("tasks", "requeue", str(made["dead"]), "--all").code == 2
    assert bedplate("tasks", "list", "--user", "nobody").code == 1
    assert bedplate("tasks", "requeue", str(made["waiting"])).code == 1
