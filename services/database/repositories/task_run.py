"""Queries over the runs of tasks: every change of state is one statement here, whatever backend carries their ids."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import defer
from sqlmodel import col, select

from bedplate.services.database.models import PREFIX, TaskRunRow, metadata
from bedplate.services.database.repositories.instance import InstanceRepository
from bedplate.services.database.violations import violations

__all__ = ["Fence", "TaskRunRepository", "finish_run", "insert_run", "kept_key", "outcome_of"]

_RUNS = metadata.tables[f"{PREFIX}task_run"]
_ALIVE = sa.select(metadata.tables[f"{PREFIX}instance"].c.id)

_FINISHED = ("succeeded", "failed", "cancelled")


class Fence(NamedTuple):
    """What a process proves with that a run is still its own.

    Attributes:
        run_id: The run.
        instance_id: The process, whose lease must not have been ended by another.
        attempt: Which of the starts of the run.
    """

    run_id: uuid.UUID
    instance_id: uuid.UUID
    attempt: int

    def parameters(self) -> dict[str, Any]:
        """What the statements that are fenced by it take."""
        return {"run_id": self.run_id, "holder": self.instance_id, "held_attempt": self.attempt}


_held = sa.and_(
    _RUNS.c.id == sa.bindparam("run_id"),
    _RUNS.c.instance_id == sa.bindparam("holder"),
    _RUNS.c.attempt == sa.bindparam("held_attempt"),
    _RUNS.c.status == "running",
    sa.bindparam("holder", type_=_RUNS.c.instance_id.type).in_(_ALIVE),
)
_ANNOUNCED: Final = tuple(_RUNS.c[name] for name in ("id", "name", "run_at", "priority", "traceparent", "tracestate"))
_OUTCOME = ("status", "finished_at", "failures", "progress", "result", "error", "error_code", "traceback")

kept_key: Final = sa.case((_RUNS.c.key_kept, _RUNS.c.unique_key), else_=None)
"""The key of a run that finishes: free again, unless it is one to keep."""

# The two statements that every run costs, made once.

insert_run: Final = sa.insert(_RUNS)
"""Adds a run; its parameters are the columns that it has."""

finish_run: Final = (
    sa.update(_RUNS)
    .where(_held)
    .values({name: sa.bindparam(f"new_{name}") for name in _OUTCOME} | {"unique_key": kept_key})
)
"""Changes a running run that is still held to its outcome; its parameters are made by :func:`outcome_of`."""

_unannounced = sa.and_(_RUNS.c.status == "queued", _RUNS.c.announced_at.is_(None))

_report_progress = sa.update(_RUNS).where(_held).values(progress=sa.bindparam("new_progress"))


def outcome_of(fence: Fence, **values: Any) -> dict[str, Any]:
    """The parameters of :data:`finish_run`; what is not given is null."""
    return fence.parameters() | {f"new_{name}": values.get(name) for name in _OUTCOME}


_LARGE: Final[tuple[Any, ...]] = (TaskRunRow.result, TaskRunRow.traceback)
_SHORT: Final = tuple(defer(column, raiseload=True) for column in _LARGE)


class TaskRunRepository(InstanceRepository):
    """Runs of tasks, and the instances that hold them."""

    # Submitting, reading

    async def insert(self, values: Mapping[str, Any]) -> None:
        """Add a run.

        Raises:
            UniqueViolationError: Its unique key is taken.
            ForeignKeyViolationError: Its owner is not there.
        """
        with violations():
            await self._execute(insert_run, [dict(values)])

    async def by_key(self, unique_key: str) -> TaskRunRow | None:
        """The run that has a unique key."""
        return (await self._session.exec(select(TaskRunRow).where(TaskRunRow.unique_key == unique_key))).one_or_none()

    async def get(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> TaskRunRow | None:
        """A run of this owner."""
        statement = select(TaskRunRow).where(TaskRunRow.id == run_id, _own(user_id))
        return (await self._session.exec(statement)).one_or_none()

    async def page(
        self,
        user_id: uuid.UUID | None,
        *,
        name: str | None,
        status: str | None,
        before: tuple[datetime, uuid.UUID] | None,
        limit: int,
    ) -> Sequence[TaskRunRow]:
        """Runs of this owner, newest first; their results and tracebacks, which may be large, are not read."""
        statement = select(TaskRunRow).options(*_SHORT).where(_own(user_id))
        if name is not None:
            statement = statement.where(TaskRunRow.name == name)
        if status is not None:
            statement = statement.where(TaskRunRow.status == status)
        if before is not None:
            at, row_id = before
            literals = sa.literal(at, _RUNS.c.created_at.type), sa.literal(row_id, _RUNS.c.id.type)
            statement = statement.where(sa.tuple_(_RUNS.c.created_at, _RUNS.c.id) < sa.tuple_(*literals))
        statement = statement.order_by(col(TaskRunRow.created_at).desc(), col(TaskRunRow.id).desc()).limit(limit)
        return (await self._session.exec(statement)).all()

    async def page_of_all(
        self, *, name: str | None, status: str | None, before: uuid.UUID | None, limit: int
    ) -> Sequence[TaskRunRow]:
        """Runs of every owner, newest first, as :meth:`page` reads them: ids are in the order of time."""
        statement = select(TaskRunRow).options(*_SHORT)
        if name is not None:
            statement = statement.where(TaskRunRow.name == name)
        if status is not None:
            statement = statement.where(TaskRunRow.status == status)
        if before is not None:
            statement = statement.where(col(TaskRunRow.id) < before)
        return (await self._session.exec(statement.order_by(col(TaskRunRow.id).desc()).limit(limit))).all()

    async def count_queued(self, user_id: uuid.UUID | None) -> int:
        """How many runs of this owner wait."""
        statement = sa.select(sa.func.count()).select_from(_RUNS).where(_own(user_id), _RUNS.c.status == "queued")
        return int((await self._execute(statement)).scalar_one())

    async def counts(self) -> dict[str, int]:
        """How many unfinished runs there are, by status."""
        statement = (
            sa.select(_RUNS.c.status, sa.func.count().label("number"))
            .where(_RUNS.c.status.in_(("queued", "running")))
            .group_by(_RUNS.c.status)
        )
        return {row["status"]: row["number"] for row in (await self._execute(statement)).mappings()}

    # Working

    async def next_due(self, names: Collection[str]) -> datetime | None:
        """When the first waiting run of these tasks may start; None if none waits."""
        statement = sa.select(sa.func.min(_RUNS.c.run_at)).where(_RUNS.c.status == "queued", _RUNS.c.name.in_(names))
        moment: datetime | None = (await self._execute(statement)).scalar_one()
        return moment

    async def claim(
        self, instance_id: uuid.UUID, now: datetime, limit: int, *, names: Collection[str], run_id: uuid.UUID | None
    ) -> Sequence[sa.RowMapping]:
        """Take due runs for an instance: the most important first, and of these the oldest.

        Args:
            instance_id: The instance; its lease must not have been ended.
            now: The moment.
            limit: Most runs.
            names: Tasks that it can do.
            run_id: This run alone, if it is due.

        Returns:
            Their columns as they are now.
        """
        order = (_RUNS.c.priority.desc(), _RUNS.c.run_at, _RUNS.c.id)
        due = sa.select(_RUNS.c.id).where(_RUNS.c.status == "queued", _RUNS.c.run_at <= now, _RUNS.c.name.in_(names))
        if run_id is not None:
            due = due.where(_RUNS.c.id == run_id)
        # Named, and so made once: PostgreSQL may run a plain subquery that skips locked rows again, and find more.
        chosen = due.order_by(*order).limit(limit).with_for_update(skip_locked=True).cte("chosen")
        statement = (
            sa.update(_RUNS)
            .where(
                _RUNS.c.id.in_(sa.select(chosen.c.id)),
                _RUNS.c.status == "queued",
                sa.literal(instance_id, _RUNS.c.instance_id.type).in_(_ALIVE),
            )
            .values(status="running", instance_id=instance_id, attempt=_RUNS.c.attempt + 1, started_at=now)
            .returning(*_RUNS.c)
        )
        rows = (await self._execute(statement)).mappings().all()
        return sorted(rows, key=lambda row: (-row["priority"], row["run_at"], row["id"]))

    # Announcing

    async def next_unannounced(self) -> datetime | None:
        """When the first waiting run that nobody has announced is due; None if there is none."""
        statement = sa.select(sa.func.min(_RUNS.c.run_at)).where(_unannounced)
        moment: datetime | None = (await self._execute(statement)).scalar_one()
        return moment

    async def take_unannounced(self, now: datetime, limit: int) -> Sequence[sa.RowMapping]:
        """Note of due runs that they are announced now, which nobody else does then; what was noted.

        Args:
            now: The moment.
            limit: Most runs; the most important first, and of these the oldest.

        Returns:
            What is announced of each; see :class:`bedplate.services.task.backend.Due`.
        """
        due = sa.select(_RUNS.c.id).where(_unannounced, _RUNS.c.run_at <= now)
        due = due.order_by(_RUNS.c.priority.desc(), _RUNS.c.run_at, _RUNS.c.id).limit(limit)
        chosen = due.with_for_update(skip_locked=True).cte("chosen")  # see claim()
        return await self._announce(_RUNS.c.id.in_(sa.select(chosen.c.id)), _unannounced, now=now)

    async def take_unheard(
        self, now: datetime, before: datetime, names: Collection[str], limit: int
    ) -> Sequence[sa.RowMapping]:
        """The same for runs of these tasks that were announced before a moment, and wait still."""
        old = sa.and_(_RUNS.c.status == "queued", _RUNS.c.announced_at < before)
        due = sa.select(_RUNS.c.id).where(old, _RUNS.c.run_at <= now, _RUNS.c.name.in_(names))
        chosen = due.order_by(_RUNS.c.announced_at).limit(limit).with_for_update(skip_locked=True).cte("chosen")
        return await self._announce(_RUNS.c.id.in_(sa.select(chosen.c.id)), old, now=now)

    async def count_due(self, now: datetime, before: datetime) -> Mapping[str, tuple[int, int]]:
        """How many runs are due, and how many of them were announced before a moment, by task."""
        unheard = sa.func.sum(sa.case((_RUNS.c.announced_at < before, 1), else_=0)).label("unheard")
        statement = (
            sa.select(_RUNS.c.name, sa.func.count().label("due"), unheard)
            .where(_RUNS.c.status == "queued", _RUNS.c.run_at <= now)
            .group_by(_RUNS.c.name)
        )
        return {row["name"]: (row["due"], row["unheard"]) for row in (await self._execute(statement)).mappings()}

    async def _announce(self, *where: sa.ColumnElement[bool], now: datetime) -> Sequence[sa.RowMapping]:
        statement = sa.update(_RUNS).where(*where).values(announced_at=now).returning(*_ANNOUNCED)
        rows = (await self._execute(statement)).mappings().all()
        return sorted(rows, key=lambda row: (-row["priority"], row["run_at"], row["id"]))

    async def settle(self, fence: Fence, values: Mapping[str, Any]) -> bool:
        """Change a running run that is still held; False, and nothing is changed, if it is not."""
        statement = sa.update(_RUNS).where(_held).values(**values)
        connection = await self._session.connection()
        return bool((await connection.execute(statement, fence.parameters())).rowcount)

    async def report_progress(self, reports: Mapping[Fence, str]) -> None:
        """Note how far running runs are, those that are still held."""
        rows = [fence.parameters() | {"new_progress": progress} for fence, progress in reports.items()]
        await self._execute(_report_progress, rows)

    async def give_back(
        self, instance_id: uuid.UUID, values: Mapping[str, Any], *, keep: Collection[uuid.UUID] = ()
    ) -> Sequence[uuid.UUID]:
        """Change the running runs of an instance, but not those to ``keep``; which they were."""
        statement = (
            sa.update(_RUNS)
            .where(_RUNS.c.status == "running", _RUNS.c.instance_id == instance_id, _RUNS.c.id.not_in(keep))
            .values(**values)
            .returning(_RUNS.c.id)
        )
        return (await self._execute(statement)).scalars().all()

    # Ending

    async def cancel_waiting(self, user_id: uuid.UUID | None, run_id: uuid.UUID, values: Mapping[str, Any]) -> bool:
        """Change a run of this owner that waits; False if it does not wait."""
        statement = (
            sa.update(_RUNS).where(_RUNS.c.id == run_id, _own(user_id), _RUNS.c.status == "queued").values(**values)
        )
        return bool((await self._execute(statement)).rowcount)

    async def request_cancel(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> bool:
        """Ask whoever runs it to end a run of this owner; False if it does not run."""
        statement = (
            sa.update(_RUNS)
            .where(_RUNS.c.id == run_id, _own(user_id), _RUNS.c.status == "running")
            .values(cancel_requested=True)
        )
        return bool((await self._execute(statement)).rowcount)

    async def to_cancel(self, instance_id: uuid.UUID) -> Sequence[uuid.UUID]:
        """Runs of an instance that somebody asks to end."""
        statement = sa.select(_RUNS.c.id).where(
            _RUNS.c.status == "running", _RUNS.c.instance_id == instance_id, _RUNS.c.cancel_requested
        )
        return (await self._execute(statement)).scalars().all()

    async def change_orphans(self, where: sa.ColumnElement[bool], values: Mapping[str, Any]) -> int:
        """Change running runs of no living instance for which ``where`` holds as well; how many."""
        gone = sa.or_(_RUNS.c.instance_id.is_(None), _RUNS.c.instance_id.not_in(_ALIVE))
        statement = sa.update(_RUNS).where(_RUNS.c.status == "running", gone, where).values(**values)
        return int((await self._execute(statement)).rowcount)

    async def fail_unknown(self, known: Collection[str], due_before: datetime, values: Mapping[str, Any]) -> list[str]:
        """Change runs that have been due since ``due_before`` and are of none of the known tasks; their names."""
        statement = (
            sa.update(_RUNS)
            .where(_RUNS.c.status == "queued", _RUNS.c.run_at < due_before, _RUNS.c.name.not_in(known))
            .values(**values)
            .returning(_RUNS.c.name)
        )
        return list((await self._execute(statement)).scalars())

    # Afterwards

    async def requeue(
        self, user_id: uuid.UUID | None, run_ids: Collection[uuid.UUID] | None, values: Mapping[str, Any]
    ) -> Sequence[sa.RowMapping]:
        """Change failed runs of this owner, those named or all; what is announced of each."""
        statement = sa.update(_RUNS).where(_own(user_id), _RUNS.c.status == "failed").values(**values)
        if run_ids is not None:
            statement = statement.where(_RUNS.c.id.in_(run_ids))
        return (await self._execute(statement.returning(*_ANNOUNCED))).mappings().all()

    async def delete(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> bool:
        """Remove a finished run of this owner; False if it is not there, or has not finished."""
        statement = sa.delete(_RUNS).where(_RUNS.c.id == run_id, _own(user_id), _RUNS.c.status.in_(_FINISHED))
        return bool((await self._execute(statement)).rowcount)

    async def delete_finished_before(
        self, moment: datetime, statuses: Collection[str], limit: int, *, keyed_before: datetime
    ) -> int:
        """Remove at most ``limit`` runs with these statuses that ended before ``moment``; returns how many.

        One with a key goes only if it ended before ``keyed_before`` as well.
        """
        forgotten = sa.or_(_RUNS.c.unique_key.is_(None), _RUNS.c.finished_at < keyed_before)
        old = sa.select(_RUNS.c.id).where(_RUNS.c.finished_at < moment, _RUNS.c.status.in_(statuses), forgotten)
        old = old.limit(limit)
        result = await self._execute(sa.delete(_RUNS).where(_RUNS.c.id.in_(old.scalar_subquery())))
        return int(result.rowcount)


def _own(user_id: uuid.UUID | None) -> sa.ColumnElement[bool]:
    return _RUNS.c.user_id.is_(None) if user_id is None else _RUNS.c.user_id == user_id
