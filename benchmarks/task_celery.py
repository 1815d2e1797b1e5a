"""Tasks over Celery, from their submits until all of them are done, beside Celery alone on the same broker."""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bedplate.services.task import TaskService, TaskStatus, default_registry
from benchmarks.harness import Row, ratio
from benchmarks.redis_cache import valkey
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_RUNS: Final = 100
_READY: Final = 60.0
_LOOK: Final = 0.005

_MODULE: Final = """
from bedplate.services.task import task

@task("benchmark.add")
async def add(number: int) -> int:
    return number + 1
"""


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """One process executes on each side; on ours every run is a row that is inserted, claimed and finished."""
    with temporary_folder() as folder, valkey(Path(folder)) as url:
        module = Path(folder) / "benchmark_celery_tasks.py"
        module.write_text(_MODULE)
        sys.path.insert(0, folder)
        task = {"backend": "celery", "broker_url": url}
        with run_in(runner, folder, "task", "auth", task=task) as container:
            __import__(module.stem)
            user, tasks = runner.run(container.auth().create_superuser("ada", "a password")), container.task()
            ours = {
                "BEDPLATE_DATA_DIR": str(container.settings().values.data_dir),
                "BEDPLATE_TASK__BACKEND": "celery",
                "BEDPLATE_TASK__BROKER_URL": url,
                "BEDPLATE_TASK__MODULES": module.stem,
                "BEDPLATE_TASK__WORKER_PROCESSES": "1",
                "BEDPLATE_TASK__SCHEDULES": "false",
                "PYTHONPATH": folder,
            }
            peer = ("celery", "-A", "benchmarks.peers.celery_add", "worker", "-c", "1", "-l", "INFO")
            peer_url = f"{url.removesuffix('0')}1"
            with (
                _worker(Path(folder) / "ours.log", ("bedplate", "worker"), ours, "Worker:  ready"),
                _worker(Path(folder) / "peer.log", peer, {"PEER_URL": peer_url}, "ready."),
            ):
                os.environ["PEER_URL"] = peer_url
                yield ratio(
                    "task over Celery, submit to done",
                    lambda: _through_service(tasks, user.id),
                    _through_celery,
                    against="Celery alone, acknowledging late, results in Redis",
                    unit="µs",
                    aim=None,
                    runner=runner,
                )
        default_registry.remove("benchmark.add")
        sys.path.remove(folder)


async def _through_service(tasks: TaskService, user_id: uuid.UUID) -> float:
    """Microseconds a task, of those that are submitted one after the other and executed meanwhile."""
    begun = time.perf_counter()
    for number in range(_RUNS):
        await tasks.submit(user_id, "benchmark.add", {"number": number})
    for status in (TaskStatus.QUEUED, TaskStatus.RUNNING):
        while (await tasks.list(user_id, status=status, limit=1)).items:  # noqa: ASYNC110 - another process executes
            await asyncio.sleep(_LOOK)
    return (time.perf_counter() - begun) / _RUNS * 1e6


def _through_celery() -> float:
    from benchmarks.peers.celery_add import add

    begun = time.perf_counter()
    submitted: list[Any] = [add.delay(number) for number in range(_RUNS)]
    for result in submitted:
        result.get(timeout=_READY)
    return (time.perf_counter() - begun) / _RUNS * 1e6


@contextmanager
def _worker(log: Path, command: tuple[str, ...], environment: Mapping[str, str], ready: str) -> Iterator[None]:
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *command],
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            until = time.monotonic() + _READY
            while ready not in log.read_text():
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(log.read_text()[-2000:])
                time.sleep(_LOOK)
            yield
        finally:
            process.kill()
