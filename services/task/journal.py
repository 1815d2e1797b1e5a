"""The runs of tasks in the database: every transition is a transaction here, whoever executes them."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import PREFIX, metadata, utc_now
from bedplate.services.database.repositories.task_run import Fence, TaskRunRepository, finish_run, outcome_of
from bedplate.services.engines.redactor import Redactor
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.task.attempt import Claim, Outcome, OutcomeKind
from bedplate.services.task.backend import Due
from bedplate.services.task.models import Progress, TaskStatus
from bedplate.services.task.retrying import Backoff
from bedplate.services.task.transitions import back_to_queue, not_tried_again
from bedplate.services.text import storable

__all__ = ["Journal"]

_RUNS = metadata.tables[f"{PREFIX}task_run"]
_MAX_TEXT: Final = 4_000
_MAX_TRACEBACK: Final = 20_000

_log = get_logger("bedplate.task")


class Journal:
    """Takes runs, and writes what became of them.

    Args:
        database: Where they are.
        settings: The settings of tasks.
        redactor: Masks secrets in errors and tracebacks.
    """

    def __init__(self, database: DatabaseService, settings: TaskSettings, redactor: Redactor) -> None:
        self._database = database
        self._settings = settings
        self._redactor = redactor

    async def seconds_to_next(self, names: Collection[str]) -> float | None:
        """Seconds until a waiting run of these tasks is due, from 0; None if none waits."""
        async with self._database.session() as session:
            moment = await TaskRunRepository(session).next_due(names)
        return None if moment is None else max(0.0, (moment - utc_now()).total_seconds())

    async def claim(
        self, instance_id: uuid.UUID, names: Collection[str], limit: int, *, run_id: uuid.UUID | None = None
    ) -> list[Claim]:
        """Take due runs of these tasks for an instance whose lease holds."""
        now = utc_now()
        async with self._database.transaction() as session:
            rows = await TaskRunRepository(session).claim(instance_id, now, limit, names=names, run_id=run_id)
        return [
            Claim(
                **{name: row[name] for name in Claim.__struct_fields__ if name in row},
                waited=max(0.0, (now - row["run_at"]).total_seconds()),
            )
            for row in rows
        ]

    async def take_unannounced(self, limit: int) -> tuple[Sequence[Due], float | None]:
        """Due runs that nobody has announced, now the caller's to announce; seconds until the next, None if none."""
        async with self._database.session() as session:
            moment = await TaskRunRepository(session).next_unannounced()
        now = utc_now()
        if moment is None or moment > now:
            return (), None if moment is None else (moment - now).total_seconds()
        async with self._database.transaction() as session:
            rows = await TaskRunRepository(session).take_unannounced(now, limit)
        return [Due(**row) for row in rows], 0.0

    async def count_due(self, seconds: float) -> Mapping[str, tuple[int, int]]:
        """How many runs are due, and how many of them were announced longer ago than so many seconds, by task."""
        now = utc_now()
        async with self._database.session() as session:
            return await TaskRunRepository(session).count_due(now, now - timedelta(seconds=seconds))

    async def take_unheard(self, seconds: float, names: Collection[str], limit: int) -> Sequence[Due]:
        """Those runs of these tasks, the oldest word first, now the caller's to announce."""
        now = utc_now()
        async with self._database.transaction() as session:
            before = now - timedelta(seconds=seconds)
            rows = await TaskRunRepository(session).take_unheard(now, before, names, limit)
        return [Due(**row) for row in rows]

    async def settle(
        self, claim: Claim, outcome: Outcome, progress: Progress | None, backoff: Backoff
    ) -> TaskStatus | None:
        """Write what came of an attempt; the status that the run has now, None if it is no longer this process's."""
        told = None if progress is None else self._progress(progress)
        if (end := self._end_of(claim, outcome)) is not None:
            parameters = outcome_of(claim.fence, finished_at=utc_now(), progress=told, **end)
            return end["status"] if await self._database.execute(finish_run, parameters) else None
        values = self._again(claim, outcome, backoff)
        if told is not None:
            values["progress"] = told
        async with self._database.transaction() as session:
            held = await TaskRunRepository(session).settle(claim.fence, values)
        return TaskStatus.QUEUED if held else None

    async def report_progress(self, reports: Mapping[Fence, Progress]) -> None:
        """Write how far running runs are."""
        texts = {fence: self._progress(progress) for fence, progress in reports.items()}
        async with self._database.transaction() as session:
            await TaskRunRepository(session).report_progress(texts)

    async def to_cancel(self, instance_id: uuid.UUID) -> Collection[uuid.UUID]:
        """The runs of an instance that somebody asks to end."""
        async with self._database.session() as session:
            return await TaskRunRepository(session).to_cancel(instance_id)

    async def give_back(self, instance_id: uuid.UUID, keep: Collection[uuid.UUID] = ()) -> int:
        """Have what an instance holds wait for another, save what is to ``keep``; how many runs."""
        now = utc_now()
        async with self._database.transaction() as session:
            given = await TaskRunRepository(session).give_back(instance_id, back_to_queue(now, now), keep=keep)
        return len(given)

    async def recover(self, own_instance: uuid.UUID, known: Collection[str]) -> int:
        """Have what dead processes held wait again, and fail what nobody can do; how many runs there were of both.

        The instances go in the same transaction as what they held: should a process not be dead after all, its lease
        is gone, and it writes nothing more.
        """
        now = utc_now()
        lost = not_tried_again("task_lost", "Each process that ran the task died. Fix: see why, then requeue it.", now)
        unknown = not_tried_again(
            "task_unknown",
            "No process has the function of the task. Fix: name its module in BEDPLATE_TASK__MODULES, then requeue it.",
            now,
        )
        losses = _RUNS.c.losses + 1
        spent = sa.and_(_RUNS.c.losses >= self._settings.max_losses, sa.not_(_RUNS.c.cancel_requested))
        async with self._database.transaction() as session:
            repository = TaskRunRepository(session)
            await repository.delete_expired_instances(now, own_instance)
            failed = await repository.change_orphans(spent, lost | {"losses": losses})
            again = await repository.change_orphans(sa.true(), back_to_queue(now, now, losses=losses))
            overdue = now - timedelta(seconds=self._settings.unknown_grace)
            gone = await repository.fail_unknown(known, overdue, unknown)
        if failed or again:
            _log.warning("tasks of dead processes were taken over", again=again, given_up=failed)
        if gone:
            _log.error("tasks have no function", names=sorted(set(gone)), tasks=len(gone))
        return failed + again + len(gone)

    async def counts(self) -> dict[str, int]:
        """How many unfinished runs there are, by status."""
        async with self._database.session() as session:
            return await TaskRunRepository(session).counts()

    def _end_of(self, claim: Claim, outcome: Outcome) -> dict[str, Any] | None:
        """What is written of a run that ends with this attempt; None if it is begun anew."""
        end: dict[str, Any] = {"failures": claim.failures}
        match outcome.kind:
            case OutcomeKind.SUCCEEDED:
                return end | {"status": TaskStatus.SUCCEEDED, "result": outcome.result}
            case OutcomeKind.CANCELLED:
                return end | {"status": TaskStatus.CANCELLED}
            case OutcomeKind.FAILED if outcome.final or claim.failures + 1 >= claim.max_attempts:
                return self._failure(claim, outcome) | {"status": TaskStatus.FAILED}
        return None

    def _again(self, claim: Claim, outcome: Outcome, backoff: Backoff) -> dict[str, Any]:
        """What is written of a run that is begun anew: after a failure, at its own wish, or by another process."""
        now = utc_now()
        failed = self._failure(claim, outcome) if outcome.kind is OutcomeKind.FAILED else {}
        wait = min(outcome.after or 0.0, self._settings.max_delay)
        if failed and outcome.after is None:
            wait = backoff.wait(failed["failures"])
        return back_to_queue(now, now + timedelta(seconds=wait), **failed)

    def _failure(self, claim: Claim, outcome: Outcome) -> dict[str, Any]:
        return {
            "failures": claim.failures + 1,
            "error": self._masked(outcome.error, _MAX_TEXT),
            "error_code": outcome.error_code,
            "traceback": self._masked(outcome.traceback, _MAX_TRACEBACK),
        }

    def _masked(self, text: str | None, limit: int) -> Any:
        if text is None:
            return None
        # The end of a traceback is what matters; no half of a secret is left at the cut, as masking comes first.
        return storable(self._redactor.text(text)[-limit:])

    def _progress(self, progress: Progress) -> str:
        copy = self._redactor.value({"message": progress.message, "data": progress.data})
        return msgspec.json.encode({"fraction": progress.fraction, **storable(copy)}).decode()
