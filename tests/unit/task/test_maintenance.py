"""TASK-4: what is old, expired or left over is deleted by scheduled tasks."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.database.models import (
    AuthSessionRow,
    FlowSessionRow,
    JobRow,
    MessageRow,
    TaskRunRow,
    TraceRow,
    TransactionRow,
    new_id,
    utc_now,
)
from bedplate.services.session import NewFlow
from bedplate.services.storage import Namespace
from bedplate.services.task import default_registry
from bedplate.wiring.tasks.maintenance import delete_expired, delete_orphans

LONG_AGO = timedelta(days=400)


@pytest.fixture
async def user(container: ApplicationContainer) -> User:
    return await container.auth().create_superuser("ada", "a password of ada")


async def _run(container: ApplicationContainer, task: Callable[..., Any]) -> Any:
    run = await container.task().submit(None, task)
    return await container.task().result(None, run.id)


def test_maintenance_is_scheduled() -> None:
    """TASK-4: and so executed once for all processes, wherever one executes tasks."""
    assert default_registry.get(delete_expired).cron is not None
    assert default_registry.get(delete_orphans).cron is not None


async def test_what_has_expired_is_deleted_and_nothing_else(container: ApplicationContainer, user: User) -> None:
    """TASK-4, DB-5: of every service that keeps something for a time."""
    flow = await container.session().flows.create(user.id, NewFlow(name="a flow"))
    now = utc_now()

    def rows(ended: datetime, expires: datetime) -> list[Any]:
        return [
            TaskRunRow(name="x", status="succeeded", timeout=1, finished_at=ended),
            JobRow(user_id=user.id, status="succeeded", finished_at=ended),
            AuthSessionRow(user_id=user.id, current_jti=str(new_id()), expires_at=expires),
            FlowSessionRow(user_id=user.id, flow_id=flow.id, session_id=str(new_id()), last_active_at=ended),
            MessageRow(user_id=user.id, session_id="s", sender="User", sender_name="User", text="x", timestamp=ended),
            TransactionRow(user_id=user.id, flow_id=flow.id, vertex_id="v", status="success", timestamp=ended),
            TraceRow(user_id=user.id, name="x", status="ok", started_at=ended),
        ]

    async with container.database().transaction() as session:
        session.add_all([*rows(now - LONG_AGO, now - LONG_AGO), *rows(now, now + LONG_AGO)])
    counts = await _run(container, delete_expired)
    ones = {"tasks", "jobs", "logins", "sessions", "messages", "builds", "traces"}
    assert {name for name, count in counts.items() if count == 1} == ones, counts
    assert not any((await _run(container, delete_expired)).values())


async def test_files_of_what_is_gone_are_deleted(container: ApplicationContainer, user: User) -> None:
    """TASK-4: of users and flows; those of others stay, and so do namespaces of an application's own kind."""
    storage, flows = container.storage(), container.session().flows
    kept_flow = await flows.create(user.id, NewFlow(name="kept"))
    gone_flow = await flows.create(user.id, NewFlow(name="gone"))
    nobody = uuid.uuid4()
    kept = [
        Namespace.user(user.id),
        Namespace.flow(user.id, kept_flow.id),
        Namespace(owner=user.id, kind="report", id=uuid.uuid4()),
    ]
    gone = [Namespace.flow(user.id, gone_flow.id), Namespace.user(nobody), Namespace.flow(nobody, kept_flow.id)]
    for namespace in (*kept, *gone):
        await storage.save(namespace, "a.txt", b"x")
    await flows.delete(user.id, gone_flow.id)
    assert await _run(container, delete_orphans) == {"namespaces": 6, "owners": 1, "flows": 1, "vaults": 0}
    assert all([await storage.exists(namespace, "a.txt") for namespace in kept])
    assert not any([await storage.exists(namespace, "a.txt") for namespace in gone])
    assert (await _run(container, delete_orphans))["owners"] == 0
