"""The whole import: all of it, or nothing."""

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlmodel import col

from bedplate.containers import ApplicationContainer
from bedplate.services.database.models import FileRow
from bedplate.services.database.models.base import Table
from bedplate.services.errors import BedplateError
from bedplate.services.storage import Namespace
from bedplate.services.uninterrupted import uninterrupted
from bedplate.wiring.langflow.accounts import UserPlan, carry_api_keys, plan_users
from bedplate.wiring.langflow.files import FileCopies, carry_files
from bedplate.wiring.langflow.messages import carry_messages
from bedplate.wiring.langflow.report import ImportReport
from bedplate.wiring.langflow.secrets import LangflowSecrets
from bedplate.wiring.langflow.source import LangflowSource
from bedplate.wiring.langflow.target import Target
from bedplate.wiring.langflow.variables import carry_variables
from bedplate.wiring.langflow.work import carry_flows, carry_projects

__all__ = ["LangflowImport"]

_CARRIED: Final = {"user", "apikey", "folder", "flow", "message", "variable", "file", "alembic_version"}
_WHY_NOT: Final = {
    "transaction": "the history of runs is not carried over",
    "vertex_build": "the history of builds is not carried over",
}


class LangflowImport:
    """Carries a database of Langflow over into the services of a container.

    Everything is stored in one transaction, so that an import that fails, or is cancelled, leaves nothing behind; one
    that is repeated finds what it did before and adds what is new. Ids stay. While rows are stored, other writers
    wait.

    Args:
        container: A container whose ``variable`` and ``storage`` services run.
        secrets: Opens what Langflow encrypted.
        folder: The configuration directory of Langflow, where the contents of files are; None: files are left out.
        users: Names of users here, by their names there, for those who are the same people.
    """

    def __init__(
        self,
        container: ApplicationContainer,
        secrets: LangflowSecrets,
        *,
        folder: Path | None = None,
        users: Mapping[str, str] | None = None,
    ) -> None:
        self._database = container.database()
        self._variables = container.variable()
        self._settings = container.settings().values
        self._workers = container.workers()
        self._storage = container.storage()
        self._secrets = secrets
        self._folder = folder
        self._users = users or {}

    async def run(self, source: LangflowSource, *, dry: bool = False) -> ImportReport:
        """Carry everything over.

        Args:
            source: The database of Langflow.
            dry: Store nothing, but report as if it had been.

        Raises:
            InvalidInputError: ``users`` names a user that is not there.
            UnavailableError: The database could not be written; nothing was stored.
        """
        report = ImportReport()
        copies = FileCopies(self._storage, self._workers, self._folder, dry=dry)
        plan = await plan_users(source, self._database, self._workers, self._settings, report, self._users)
        carried: dict[uuid.UUID, uuid.UUID] = {}
        inserted: list[Table] = []
        try:
            await self._copy_contents(source, plan, copies, report)
            with contextlib.suppress(_NotMeantError):
                async with self._database.transaction() as session:
                    target = Target(session, self._settings, report, plan.owners, carried, inserted)
                    await self._carry(source, target, plan, copies, dry=dry)
                    if dry:
                        raise _NotMeantError
        except BaseException:
            # Cancelled at the very end, it may have been committed nevertheless.
            await uninterrupted(self._settle(copies, carried, inserted))
            raise
        await uninterrupted(self._settle(copies, carried, inserted))
        return report

    async def _settle(
        self, copies: FileCopies, carried: Mapping[uuid.UUID, uuid.UUID], inserted: Sequence[Table]
    ) -> None:
        """Take back the copies of files that belong to nothing that was stored."""
        if inserted and not await self._is_stored(inserted[0]):
            await copies.take_back()
            return
        await copies.take_back(but_of=frozenset(Namespace.flow(owner, flow) for flow, owner in carried.items()))

    async def _is_stored(self, row: Table) -> bool:
        async with self._database.session() as session:
            return await session.get(type(row), sa.inspect(type(row)).primary_key_from_instance(row)) is not None

    async def _carry(
        self, source: LangflowSource, target: Target, plan: UserPlan, copies: FileCopies, *, dry: bool
    ) -> None:
        await target.insert(plan.new)
        await carry_api_keys(source, target, self._secrets)
        projects = await carry_projects(source, target)
        await carry_flows(source, target, projects)
        await carry_messages(source, target)
        await carry_variables(source, target, self._variables, self._secrets, dry=dry)
        await carry_files(source, target, copies)
        for table in sorted(source.tables.keys() - _CARRIED):
            if rows := await source.count(table):
                reason = _WHY_NOT.get(table, "the table is none of those that are carried over")
                target.report.left_out(table, "", "", reason, rows=rows)

    async def _copy_contents(
        self, source: LangflowSource, plan: UserPlan, copies: FileCopies, report: ImportReport
    ) -> None:
        """Copy the contents of all files before the transaction, which has to be short."""
        async for row in source.rows("file"):
            try:
                if await self._is_here(row.id()):
                    report.present("file")
                else:
                    await copies.copy_of_user(row, plan.owners.of(row))
            except BedplateError as error:
                report.left_out("file", row.id(), row.text("name"), error.what)
        async for row in source.rows("flow"):
            for path in await copies.files_of_flow(row.id()):
                try:
                    if await copies.copy_of_flow(path, row.id(), plan.owners.of(row)):
                        report.carried("file of a flow")
                    else:
                        report.present("file of a flow")
                except BedplateError as error:
                    report.left_out("file of a flow", f"{row.id()}/{path.name!a}", "", error.what)

    async def _is_here(self, file_id: uuid.UUID) -> bool:
        async with self._database.session() as session:
            found = await session.scalar(sa.select(sa.func.count()).where(col(FileRow.id) == file_id))
        return bool(found)


class _NotMeantError(Exception):
    """Undoes what a dry run stored."""
