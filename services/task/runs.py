"""Runs that have been submitted: read, waited for, cancelled; and the dead letters."""

import asyncio
import math
import time
import uuid
from collections.abc import Collection, Sequence
from typing import Any, Final

from bedplate.services.base import Service
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import TaskRunRow, utc_now
from bedplate.services.database.repositories.cursor import decode_cursor, encode_cursor
from bedplate.services.database.repositories.task_run import TaskRunRepository
from bedplate.services.database.retention import BATCH
from bedplate.services.schema import ServiceType
from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.task.attempt import EndReason
from bedplate.services.task.backend import Due, TaskBackend
from bedplate.services.task.errors import (
    TaskFailedError,
    TaskNotDeadError,
    TaskNotFoundError,
    TaskUnfinishedError,
    TaskWaitError,
)
from bedplate.services.task.here import ExecutesHere
from bedplate.services.task.models import TaskPage, TaskRun, TaskStatus
from bedplate.services.task.retention import delete_old_runs
from bedplate.services.task.rows import run_of
from bedplate.services.task.transitions import finished, requeued
from bedplate.services.task.waiting import Waiters

__all__ = ["Runs"]

_MAX_PAGE: Final = 500
_NOT_LISTED: Final = {"result": None, "traceback": None}


class Runs(Service):
    """The runs of every owner; each method sees those of one.

    Args:
        settings: The settings of tasks.
        database: Where they are kept.
        carrier: What brings runs to workers.

    Attributes:
        carrier: See above.
        waiters: Who waits for which run.
    """

    def __init__(self, settings: TaskSettings, database: DatabaseService, carrier: TaskBackend) -> None:
        self._settings = settings
        self._database = database
        self.carrier = carrier
        self.waiters = Waiters()
        self._worker: ExecutesHere | None = None

    async def get(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> TaskRun:
        """A run.

        Raises:
            TaskNotFoundError: There is none with this id, or it is somebody else's.
        """
        self._require_started()
        async with self._database.session() as session:
            row = await TaskRunRepository(session).get(user_id, run_id)
        if row is None:
            raise TaskNotFoundError(run_id)
        return run_of(vars(row))

    async def list(
        self,
        user_id: uuid.UUID | None,
        *,
        name: str | None = None,
        status: TaskStatus | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TaskPage:
        """Runs of an owner, newest first, without results and tracebacks; those that failed are the dead letters.

        Args:
            user_id: The owner.
            name: Only those of this task.
            status: Only those with this status.
            limit: Most runs in the page, 1 to 500.
            cursor: ``next_cursor`` of the page before.

        Raises:
            InvalidInputError: The cursor was not made here.
        """
        self._require_started()
        limit = max(1, min(limit, _MAX_PAGE))
        before = None if cursor is None else decode_cursor(cursor, service=ServiceType.TASK)
        async with self._database.session() as session:
            rows = await TaskRunRepository(session).page(
                user_id, name=name, status=status, before=before, limit=limit + 1
            )
        return _page(rows, limit)

    async def list_all(
        self,
        *,
        name: str | None = None,
        status: TaskStatus | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TaskPage:
        """Runs of every owner and the system's, as :meth:`list`: for operators, which the caller has made sure of.

        Raises:
            InvalidInputError: The cursor was not made here.
        """
        self._require_started()
        limit = max(1, min(limit, _MAX_PAGE))
        before = None if cursor is None else decode_cursor(cursor, service=ServiceType.TASK)[1]
        async with self._database.session() as session:
            rows = await TaskRunRepository(session).page_of_all(
                name=name, status=status, before=before, limit=limit + 1
            )
        return _page(rows, limit)

    async def wait(self, user_id: uuid.UUID | None, run_id: uuid.UUID, *, timeout: float | None = None) -> TaskRun:
        """Wait until a run has finished; the run as it then is, or as it is when time is up.

        Raises:
            TaskNotFoundError: There is none with this id, or it is somebody else's.
            TaskWaitError: The caller has a transaction open, which the run would wait for.
        """
        if self._database.in_transaction:
            raise TaskWaitError
        end = math.inf if timeout is None else time.monotonic() + timeout
        with self.waiters.of(run_id) as written:
            if self._worker is not None and self._worker.executes(user_id, run_id):
                await _set_within(written, end - time.monotonic())
            while not (run := await self.get(user_id, run_id)).status.finished:
                if (left := end - time.monotonic()) <= 0:
                    break
                # Another process may write something as well.
                await _set_within(written, min(left, self._settings.poll_interval))
            return run

    async def result(self, user_id: uuid.UUID | None, run_id: uuid.UUID, *, timeout: float | None = None) -> Any:
        """Wait for a run and return what its function returned, as data.

        Raises:
            TaskFailedError: It failed, was cancelled, or has not finished when time is up.
            TaskNotFoundError: There is none with this id, or it is somebody else's.
            TaskWaitError: The caller has a transaction open.
        """
        run = await self.wait(user_id, run_id, timeout=timeout)
        if run.status is TaskStatus.SUCCEEDED:
            return run.result
        if run.status is TaskStatus.FAILED:
            raise TaskFailedError(run_id, run.error_code or "task_failed", run.error or "the task failed")
        if run.status is TaskStatus.CANCELLED:
            raise TaskFailedError(run_id, "cancelled", "the task was cancelled")
        raise TaskFailedError(run_id, "unfinished", f"the task has not finished within {timeout:g} seconds")

    async def cancel(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> TaskRun:
        """Cancel a run, wherever it is executed, and wait until it has ended; do nothing if it has.

        A coroutine gets ``CancelledError`` at its next await, a plain function is told by its context; both may tidy up
        for ``cancel_timeout``, and count as cancelled after that whatever they do.

        Returns:
            The run as it then is: one that came to its end just before is not cancelled. One whose process does not
            answer is still running, with ``cancel_requested``: it ends as cancelled when its process does, or dies.

        Raises:
            TaskNotFoundError: There is none with this id, or it is somebody else's.
            TaskWaitError: The caller has a transaction open.
        """
        self._require_started()
        if self._database.in_transaction:
            raise TaskWaitError
        while not (await self.get(user_id, run_id)).status.finished:
            async with self._database.transaction() as session:
                repository = TaskRunRepository(session)
                ended = await repository.cancel_waiting(user_id, run_id, finished(TaskStatus.CANCELLED, utc_now()))
                asked = not ended and await repository.request_cancel(user_id, run_id)
            if ended:
                self.waiters.wake(run_id)
            if asked:
                if self._worker is not None:
                    self._worker.ask_to_end(run_id, EndReason.CANCEL)
                patience = self._settings.cancel_timeout + 2 * self._settings.poll_interval + self._settings.lease_ttl
                return await self.wait(user_id, run_id, timeout=patience)
        return await self.get(user_id, run_id)

    async def requeue(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> TaskRun:
        """Have a dead letter tried again, with all its attempts.

        Raises:
            TaskNotFoundError: There is none with this id, or it is somebody else's.
            TaskNotDeadError: It has not failed.
        """
        run = await self.get(user_id, run_id)
        if not await self._requeue(user_id, [run_id]):
            raise TaskNotDeadError(run.id)
        return await self.get(user_id, run_id)

    async def requeue_all(self, user_id: uuid.UUID | None) -> int:
        """Have every dead letter of an owner tried again; how many."""
        self._require_started()
        return await self._requeue(user_id, None)

    async def delete(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> None:
        """Delete a run that has finished.

        Raises:
            TaskNotFoundError: There is none with this id, or it is somebody else's.
            TaskUnfinishedError: It has not finished.
        """
        await self.get(user_id, run_id)
        async with self._database.transaction() as session:
            if not await TaskRunRepository(session).delete(user_id, run_id):
                raise TaskUnfinishedError(run_id)

    async def delete_old(self, *, limit: int = BATCH) -> int:
        """Delete one batch of runs of anyone that finished longer ago than the settings keep them; how many."""
        self._require_started()
        return await delete_old_runs(self._database, self._settings, limit=limit)

    async def _requeue(self, user_id: uuid.UUID | None, run_ids: Collection[uuid.UUID] | None) -> int:
        now = utc_now()
        async with self._database.transaction() as session:
            rows = await TaskRunRepository(session).requeue(user_id, run_ids, requeued(now))
            runs = [Due(**row) for row in rows]

        def announce() -> None:
            for due in runs:
                self.carrier.announce(due)

        self._database.after_commit(announce)
        return len(runs)


def _page(rows: Sequence[TaskRunRow], limit: int) -> TaskPage:
    items = tuple(run_of(_NOT_LISTED | vars(row)) for row in rows[:limit])
    more = len(rows) > limit
    return TaskPage(items=items, next_cursor=encode_cursor(items[-1].created_at, items[-1].id) if more else None)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, or time is up; it is not set afterwards."""
    try:
        async with asyncio.timeout(None if seconds == math.inf else seconds):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
