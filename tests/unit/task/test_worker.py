"""What the worker does beside executing: leases, failing databases, metrics, health, and what it leaves behind."""

import asyncio
import gc
import logging
import threading
import uuid

import pytest
import sqlalchemy as sa
from dependency_injector.providers import Object
from sqlmodel import col
from tests.unit.task.conftest import NewNode, Outage

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import UnavailableError
from bedplate.services.settings import SettingsService
from bedplate.services.task import TaskContext, TaskRegistry, TaskRun, TaskStatus
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.task import Function, Node
from bedplate.wiring.testing.task.harness import until


@pytest.fixture
def waiting(registry: TaskRegistry) -> Function:
    function = Function()

    @registry.task("waiting")
    async def wait(context: TaskContext) -> int:
        return await function.run(context)

    return function


@pytest.fixture
def quick(registry: TaskRegistry) -> None:
    @registry.task("quick")
    async def quick(number: int = 0) -> int:
        return number


async def test_service_alone_executes_and_recovers_nothing(
    new_node: NewNode, alice: uuid.UUID, waiting: Function, settings: SettingsService
) -> None:
    """TASK-2: a partial boot, as of a command, is no worker."""
    web = await new_node(execute=False)
    run = await web.tasks.submit(alice, "waiting")
    partial = ApplicationContainer(settings=Object(settings))
    async with partial.running("task"):
        assert partial.task().started
        assert not partial.task_worker().started
        assert (await partial.task().get(alice, run.id)).status is TaskStatus.QUEUED
    assert waiting.calls == 0


async def test_full_boot_executes_unless_a_setting_says_no(
    container: ApplicationContainer, settings: SettingsService
) -> None:
    assert container.task_worker().executing
    values = {"profile": "test", "data_dir": settings.values.data_dir, "task": {"execute": False}}
    silent = ApplicationContainer(settings=Singleton(SettingsService, **values))
    async with silent.running():
        assert silent.task_worker().started
        assert not silent.task_worker().executing


async def test_worker_starts_last_and_stops_first(container: ApplicationContainer) -> None:
    """TASK-2: its tasks may use any service while it drains."""
    stopped_after: list[str] = []
    worker = container.task_worker()
    real = worker.drain

    async def drain(timeout: float) -> None:
        stopped_after.extend(record.name for record in container.report.services if record.state == "started")
        await real(timeout)

    worker.drain = drain  # type: ignore[method-assign]
    names = {record.name for record in container.report.services if record.state == "started"}
    await container.shutdown_resources()
    assert set(stopped_after) >= names - {"task_worker"}


async def test_secrets_are_masked_in_what_is_kept_of_a_failure(
    node: Node, alice: uuid.UUID, registry: TaskRegistry, redactor: Redactor
) -> None:
    """TASK-1: error, traceback and progress."""
    redactor.register("hunter2-of-the-test")

    @registry.task("leaking")
    async def leaking(context: TaskContext) -> None:
        context.progress(0.5, "with hunter2-of-the-test", key="hunter2-of-the-test")
        raise ValueError("hunter2-of-the-test")

    run = await node.tasks.wait(alice, (await node.tasks.submit(alice, leaking)).id)
    assert run.traceback is not None
    assert "ValueError" in run.traceback
    assert run.progress is not None
    assert "hunter2" not in run.traceback + str(run.error) + str(run.progress)


async def test_texts_that_no_database_takes_are_kept_all_the_same(
    node: Node, alice: uuid.UUID, registry: TaskRegistry
) -> None:
    @registry.task("odd")
    async def odd(context: TaskContext) -> None:
        context.progress(None, "a\0b\ud800", data=float("nan"), thing=object())
        raise ValueError("a\0b\ud800")

    run = await node.tasks.wait(alice, (await node.tasks.submit(alice, odd)).id)
    assert run.status is TaskStatus.FAILED
    assert run.progress is not None
    assert run.progress.message is not None
    assert run.progress.message.startswith("a")


async def test_error_whose_text_cannot_be_made_fails_alone(
    node: Node, alice: uuid.UUID, registry: TaskRegistry
) -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @registry.task("odd")
    async def odd() -> None:
        raise OddError

    run = await node.tasks.wait(alice, (await node.tasks.submit(alice, odd)).id)
    assert (run.status, run.error) == (TaskStatus.FAILED, "The task failed: OddError.")


async def test_outcome_is_written_when_the_database_works_again(
    node: Node, alice: uuid.UUID, waiting: Function, outage: Outage
) -> None:
    """TASK-2: nothing is lost, and nothing done twice, over an outage shorter than the lease."""
    run = await node.tasks.submit(alice, "waiting")
    await waiting.begins()
    outage.on = True
    waiting.finish()
    await outage.failed.wait()
    outage.failed.clear()
    await outage.failed.wait()
    assert (await node.tasks.get(alice, run.id)).status is TaskStatus.RUNNING
    outage.on = False
    assert await node.tasks.result(alice, run.id) == 1
    assert waiting.calls == 1


async def test_worker_goes_on_after_the_database_failed(
    new_node: NewNode, alice: uuid.UUID, quick: None, outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    node = await new_node(execute=True, concurrency=1)
    later = await node.tasks.submit(alice, "quick", {"number": 7}, delay=0.02)
    outage.on = True
    with caplog.at_level(logging.WARNING, "bedplate.task"):
        await until(lambda: "could not be taken" in caplog.text)
        for _ in range(3):
            outage.failed.clear()
            await outage.failed.wait()
        outage.on = False
        assert await node.tasks.result(alice, later.id) == 7
    said = [record for record in caplog.records if "could not be taken" in record.getMessage()]
    assert len(said) == 1, "it says so once, not at every look"


async def test_lease_that_cannot_be_renewed_ends_what_runs_under_it(
    new_node: NewNode, alice: uuid.UUID, waiting: Function, outage: Outage
) -> None:
    """TASK-2: when others may have taken its runs over, its functions are asked to end."""
    node = await new_node(lease_ttl=0.15)
    run = await node.tasks.submit(alice, "waiting")
    await waiting.begins()
    outage.on = True
    assert node.worker is not None
    await until(lambda: waiting.cancelled)
    assert (await node.worker.health()).status == "degraded"
    outage.on = False
    waiting.finish()
    assert await node.tasks.result(alice, run.id) == 2


async def test_submit_cancelled_at_any_await_leaves_no_run_that_nobody_executes(
    new_node: NewNode, alice: uuid.UUID, quick: None
) -> None:
    """TASK-2: what is in the database is executed, what is not is not."""
    node = await new_node()

    async def after(cancelled: bool) -> None:
        await node.beat()
        for run in (await node.tasks.list(alice)).items:
            assert (await node.tasks.wait(alice, run.id, timeout=30)).status is TaskStatus.SUCCEEDED
            await node.tasks.delete(alice, run.id)

    awaits = await cancel_at_every_await(lambda: node.tasks.submit(alice, "quick"), after)
    assert awaits >= 1


async def test_nothing_of_a_run_stays_in_memory(node: Node, alice: uuid.UUID, quick: None) -> None:
    """The lists of the reference only grew."""
    runs = await asyncio.gather(*(node.tasks.submit(alice, "quick", {"number": n}) for n in range(50)))
    for run in runs:
        await node.tasks.wait(alice, run.id)
    assert node.worker is not None
    executor = node.worker._executor
    assert executor is not None
    await until(lambda: not executor.held)
    assert not executor._tasks
    assert not executor._threads
    assert not executor._dirty
    assert len(node.tasks.waiters) == 0


async def test_a_task_is_not_lost_to_the_garbage_collector(node: Node, alice: uuid.UUID, waiting: Function) -> None:
    run = await node.tasks.submit(alice, "waiting")
    await waiting.begins()
    gc.collect()
    waiting.finish()
    assert await node.tasks.result(alice, run.id) == 1


async def test_metrics_tell_of_queue_latency_and_outcomes(
    new_node: NewNode, alice: uuid.UUID, quick: None, waiting: Function, telemetry: TelemetryService
) -> None:
    """TASK-1: depth, running, latency, outcomes."""
    node = await new_node(concurrency=1)
    held = await node.tasks.submit(alice, "waiting")
    await waiting.begins()
    queued = await node.tasks.submit(alice, "quick")
    await node.beat()
    text = telemetry.exposition().decode()
    assert "bedplate_task_queued 1.0" in text
    assert "bedplate_task_running 1.0" in text
    waiting.finish()
    for run in (held, queued):
        await node.tasks.wait(alice, run.id)
    text = telemetry.exposition().decode()
    assert 'bedplate_task_attempts_total{outcome="succeeded",task="quick"} 1.0' in text
    assert 'bedplate_task_latency_seconds_count{task="quick"} 1.0' in text
    assert 'bedplate_task_submitted_total{task="waiting"} 1.0' in text


async def test_threads_that_are_all_held_are_told_by_its_health(
    new_node: NewNode, alice: uuid.UUID, registry: TaskRegistry
) -> None:
    go, begun = threading.Event(), asyncio.Event()

    async def note() -> None:
        begun.set()

    @registry.task("stubborn")
    def stubborn(context: TaskContext) -> None:
        context.call(note)
        go.wait(30)

    node = await new_node(threads=1, cancel_timeout=0.02)
    worker = node.worker
    assert worker is not None
    run = await node.tasks.submit(alice, stubborn)
    await begun.wait()
    assert (await node.tasks.cancel(alice, run.id)).status is TaskStatus.CANCELLED
    health = await worker.health()
    assert health.status == "degraded"
    assert "thread" in str(health.reason)
    go.set()

    async def up() -> bool:
        return (await worker.health()).status == "up"

    await until(up)


async def test_owner_that_is_deleted_takes_its_tasks_along(
    node: Node, alice: uuid.UUID, waiting: Function, database: DatabaseService
) -> None:
    run = await node.tasks.submit(alice, "waiting")
    await waiting.begins()
    async with database.transaction() as session:
        await session.exec(sa.delete(UserRow).where(col(UserRow.id) == alice))
    waiting.finish()
    assert node.worker is not None
    worker = node.worker
    await until(lambda: not worker.executes(alice, run.id))


async def test_old_runs_are_deleted_and_dead_letters_kept_longer(
    new_node: NewNode, alice: uuid.UUID, registry: TaskRegistry, quick: None
) -> None:
    """TASK-2: retention."""

    @registry.task("failing")
    async def failing() -> None:
        raise OSError

    node = await new_node(retention=0.0, dead_letter_retention=3600.0)
    for name in ("quick", "failing"):
        await node.tasks.wait(alice, (await node.tasks.submit(alice, name)).id)
    waiting = await node.tasks.submit(alice, "quick", delay=60)
    assert await node.tasks.delete_old() == 1
    left = {run.name: run.status for run in (await node.tasks.list(alice)).items}
    assert left == {"failing": TaskStatus.FAILED, "quick": TaskStatus.QUEUED}
    assert (await node.tasks.get(alice, waiting.id)).status is TaskStatus.QUEUED


async def test_service_that_is_not_started_says_so(container: ApplicationContainer) -> None:
    await container.task_worker().stop()
    await container.task().stop()
    for call in (
        container.task().submit(None, "x"),
        container.task().get(None, uuid.uuid4()),
        container.task().list(None),
        container.task().cancel(None, uuid.uuid4()),
        container.task().requeue_all(None),
    ):
        with pytest.raises(UnavailableError):
            await call


async def test_a_run_does_not_show_its_arguments(node: Node, alice: uuid.UUID, registry: TaskRegistry) -> None:
    @registry.task("logging in")
    async def log_in(password: str) -> str:
        return password

    run: TaskRun = await node.tasks.submit(alice, log_in, {"password": "hunter2"})
    done = await node.tasks.wait(alice, run.id)
    assert (done.arguments, done.result) == ({"password": "hunter2"}, "hunter2")
    assert "hunter2" not in repr(run) + repr(done)
