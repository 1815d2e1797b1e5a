"""TASK-3: the suite of the task service over Celery, with real workers on a real broker."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from celery import signals
from celery.concurrency.thread import TaskPool
from celery.worker import WorkController, state
from redis.asyncio import Redis
from tests.contract.test_task import Harness
from tests.servers.relay import Relay

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.task import TaskRegistry, TaskStatus
from bedplate.services.task.backend import Due
from bedplate.services.task.celery import CeleryBackend
from bedplate.services.task.celery_app import make_app
from bedplate.services.task.celery_broker import broker_address
from bedplate.services.task.celery_outbox import Line
from bedplate.wiring.testing.servers.valkey import ValkeyServer, flush
from bedplate.wiring.testing.task import Function, Node, TaskConformance
from bedplate.wiring.testing.task.harness import until

_STOPPED = 30.0


class _Pool(TaskPool):  # type: ignore[misc]  # Celery has no types
    """Threads in which the current application is that of their worker: there are several in this process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.executor = ThreadPoolExecutor(max_workers=self.limit, initializer=self.app.set_current)


class CeleryWorker:
    """A worker of Celery in a thread of this process, whose threads execute what the registry of a test has."""

    def __init__(self, settings: SettingsService, backend: CeleryBackend) -> None:
        values = settings.values.task
        app = make_app(values, backend.address, backend.deliver)
        self._up = threading.Event()
        self._worker = WorkController(
            app=app,
            hostname=f"{uuid.uuid4().hex}@test",
            pool=_Pool,
            concurrency=values.concurrency,
            loglevel="ERROR",
            ready_callback=lambda _consumer: self._up.set(),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._thread = threading.Thread(target=self._worker.start, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(_STOPPED)

    def join(self) -> None:
        self._thread.join(_STOPPED)
        assert not self._thread.is_alive()


class CeleryHarness(Harness):
    """Processes over one database and one broker; those that execute have a worker each."""

    def __init__(self, folder: Path, database: DatabaseService, workers: Workers, broker: str) -> None:
        super().__init__(folder, database, workers)
        self._broker = broker
        self._celery: list[CeleryWorker] = []
        self.consumes = True

    def backend(self, settings: SettingsService) -> CeleryBackend:
        backend = CeleryBackend.from_settings(settings)
        backend.delivers = settings.values.task.execute
        return backend

    def values(self, **values: Any) -> dict[str, Any]:
        return super().values(**values) | {"backend": "celery", "broker_url": self._broker, "resend_after": 0.2}

    async def started(self, settings: SettingsService, backend: Any) -> None:
        self._settings = settings
        if settings.values.task.execute and self.consumes:
            worker = CeleryWorker(settings, backend)
            await asyncio.to_thread(worker.start)
            self._celery.append(worker)

    def line(self) -> Line:
        """A connection to the broker."""
        return Line(self._settings.values.task, broker_address(self._settings))

    async def close(self) -> None:
        state.should_stop = 0
        if self._celery:  # a worker looks at that when something wakes it: a message of no run, for each
            line = self.line()
            for _ in self._celery:
                # In a thread: the broker may be behind a relay of this loop.
                await asyncio.to_thread(line.send, Due(id=uuid.uuid4(), name="none", run_at=utc_now(), priority=0))
            await asyncio.to_thread(line.close)
        await super().close()
        for worker in self._celery:
            await asyncio.to_thread(worker.join)
        state.should_stop = None


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    def leave(**_: Any) -> None:
        """Loggers are the application's."""

    signals.setup_logging.connect(leave)
    yield
    signals.setup_logging.disconnect(leave)


class TestCelery(TaskConformance):
    """TASK-3: the same suite, unchanged; a new run begins where its message leads, never in its own process."""

    begins_at_once = False

    @pytest.fixture
    async def harness(
        self, tmp_path: Path, database: DatabaseService, workers: Workers, valkey_url: str
    ) -> AsyncIterator[CeleryHarness]:
        harness = CeleryHarness(tmp_path, database, workers, valkey_url)
        yield harness
        await harness.close()

    async def test_lost_messages_are_sent_again(
        self, harness: CeleryHarness, registry: TaskRegistry, user: uuid.UUID, waiting: Function, valkey_url: str
    ) -> None:
        """TASK-3: a broker that loses its data delays runs, and loses none."""
        waiting.finish()
        web = await harness.node(registry, execute=False)
        runs = [await web.tasks.submit(user, "waiting") for _ in range(3)]
        line = harness.line()
        await until(lambda: line.depth("bedplate") == 3)
        line.close()
        flush(valkey_url)
        await harness.node(registry)
        for run in runs:
            assert (await web.tasks.wait(user, run.id)).attempt == 1
        assert waiting.calls == 3

    async def test_no_more_is_sent_again_than_the_broker_lacks(
        self, harness: CeleryHarness, registry: TaskRegistry, user: uuid.UUID, waiting: Function, valkey_url: str
    ) -> None:
        """TASK-3: tasks that wait because workers are busy are not announced over and over."""
        web = await harness.node(registry, execute=False)
        for _ in range(5):
            await web.tasks.submit(user, "waiting")
        line = harness.line()
        await until(lambda: line.depth("bedplate") == 5)
        harness.consumes = False
        node = await harness.node(registry, resend_after=0.001)
        backend, worker = node.tasks.carrier, node.worker
        assert isinstance(backend, CeleryBackend)
        assert worker is not None
        for _ in range(3):
            await backend._announce_again(worker._taker)
            await backend.check()  # it is answered after what was to be sent
            assert line.depth("bedplate") == 5
        flush(valkey_url)
        await until(lambda: line.depth("bedplate") == 5)
        line.close()

    async def test_pickles_are_not_opened(
        self, harness: CeleryHarness, node: Node, user: uuid.UUID, waiting: Function, tmp_path: Path
    ) -> None:
        """TASK-3: whoever reaches the broker runs no code of theirs; the next message is taken as ever."""
        line = harness.line()
        with line._app.connection_for_write() as connection:
            producer = line._app.amqp.Producer(connection)
            producer.publish(_Trap(tmp_path / "sprung"), serializer="pickle", routing_key="bedplate")
        waiting.finish()
        run = await node.tasks.submit(user, "waiting")
        assert await node.tasks.result(user, run.id) == 1
        assert not (tmp_path / "sprung").exists()

    async def test_message_is_kept_while_the_database_fails(
        self,
        harness: CeleryHarness,
        registry: TaskRegistry,
        user: uuid.UUID,
        waiting: Function,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """TASK-3: it comes again, so that the run need not wait until it is announced anew."""
        waiting.finish()
        node = await harness.node(registry, resend_after=3600)
        assert node.worker is not None
        journal, failures = node.worker._journal, 2
        claim = journal.claim

        async def failing(*args: Any, **kwargs: Any) -> Any:
            nonlocal failures
            if failures:
                failures -= 1
                raise OSError("the disk is gone")
            return await claim(*args, **kwargs)

        monkeypatch.setattr(journal, "claim", failing)
        run = await node.tasks.submit(user, "waiting")
        done = await node.tasks.wait(user, run.id)
        assert (done.status, done.attempt, failures) == (TaskStatus.SUCCEEDED, 1, 0)

    @pytest.mark.slow
    # Celery says that it may one day end what runs when the broker goes, unless it is told not to, as here.
    @pytest.mark.filterwarnings("ignore:(?s).*optional breaking change")
    async def test_broker_is_stopped_and_started_under_load(
        self, tmp_path: Path, database: DatabaseService, workers: Workers, registry: TaskRegistry, user: uuid.UUID
    ) -> None:
        """TASK-3, FAULT: submits are acknowledged all the while, health tells, and each run is executed once."""
        calls: list[int] = []

        @registry.task("counted")
        async def counted(number: int) -> int:
            calls.append(number)
            return number

        with ValkeyServer(tmp_path, durable=True) as server:
            harness = CeleryHarness(tmp_path, database, workers, server.url)
            web = await harness.node(registry, execute=False)
            await harness.node(registry)

            async def submit(numbers: range) -> list[uuid.UUID]:
                return [(await web.tasks.submit(user, counted, {"number": number})).id for number in numbers]

            loaded = asyncio.create_task(submit(range(100)))
            await until(lambda: calls)
            await asyncio.to_thread(server.kill)
            ids = [*await submit(range(100, 150)), *await loaded]
            health = await web.tasks.health()
            assert (health.status, "the broker does not answer" in str(health.reason)) == ("degraded", True)
            await asyncio.to_thread(server.start)
            for run_id in ids:
                assert (await web.tasks.wait(user, run_id)).status is TaskStatus.SUCCEEDED
            assert sorted(calls) == list(range(150))
            assert (await web.tasks.health()).status == "up"
            await harness.close()

    # Celery says that it may one day end what runs when the broker goes, unless it is told not to, as here.
    @pytest.mark.filterwarnings("ignore:(?s).*optional breaking change")
    async def test_another_server_becomes_the_broker(
        self, tmp_path: Path, database: DatabaseService, workers: Workers, registry: TaskRegistry, user: uuid.UUID
    ) -> None:
        """TASK-3: a worker that waits at a primary which becomes a replica goes where the address leads then."""

        @registry.task("echo")
        async def echo(number: int) -> int:
            return number

        for name in ("former", "present"):
            (tmp_path / name).mkdir()
        with ValkeyServer(tmp_path / "former") as former, ValkeyServer(tmp_path / "present") as present:
            old, new = (urlsplit(server.url).port or 0 for server in (former, present))
            async with Relay(old) as relay:
                broker = former.url.replace(f":{old}/", f":{relay.port}/")
                harness = CeleryHarness(tmp_path, database, workers, broker)
                node = await harness.node(registry)
                for number in range(3):
                    run = await node.tasks.submit(user, echo, {"number": number})
                    assert await node.tasks.result(user, run.id) == number
                    if number == 0:
                        async with Redis.from_url(former.url) as administrator:
                            await administrator.execute_command("REPLICAOF", "127.0.0.1", new)
                        relay._target = new  # of new connections
                await harness.close()


class _Trap:
    """What would make a file, were it unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)
