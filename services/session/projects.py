"""Projects: named groups of a user's flows."""

import uuid
from typing import Final

import msgspec
from msgspec import UNSET
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import FolderRow, new_id, utc_now
from bedplate.services.database.repositories.flow import FlowRepository
from bedplate.services.database.repositories.project import ProjectRepository
from bedplate.services.errors import InvalidInputError
from bedplate.services.session.errors import FlowNotFoundError, NameTakenError, ProjectNotFoundError
from bedplate.services.session.models import NewProject, Project, ProjectPatch
from bedplate.services.session.names import again_when_taken, next_name
from bedplate.services.session.validation import check_name, check_texts

__all__ = ["DEFAULT_PROJECT", "Projects", "default_project"]

DEFAULT_PROJECT: Final = "Starter Project"
"""The project that flows go to unless told otherwise; made when first needed."""


class Projects:
    """The projects of every user; each method sees those of one.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: DatabaseService) -> None:
        self._database = database

    @again_when_taken
    async def default(self, user_id: uuid.UUID) -> Project:
        """The user's default project; it is made if there is none."""
        async with self._database.session() as session:
            row = await ProjectRepository(session, user_id).by_name(DEFAULT_PROJECT)
        if row is None:
            async with self._database.transaction() as session:
                row = await default_project(session, user_id)
        return _project(row)

    @again_when_taken
    async def create(self, user_id: uuid.UUID, project: NewProject) -> Project:
        """Make a project; a name that is taken becomes ``"name (1)"``.

        Raises:
            InvalidInputError: The name is wrong.
            ProjectNotFoundError: The parent is no project of the user.
            FlowNotFoundError: A flow to move into it is not the user's; nothing is changed.
        """
        check_name(project.name, "project")
        check_texts(project)
        async with self._database.transaction() as session:
            projects = ProjectRepository(session, user_id)
            await _check_parent(projects, project.parent_id)
            row = await projects.add(
                FolderRow(
                    id=new_id(),
                    user_id=user_id,
                    parent_id=project.parent_id,
                    name=next_name(project.name, await projects.names_like(project.name)),
                    description=project.description,
                    auth_settings=project.auth_settings,
                )
            )
            await _take_in(FlowRepository(session, user_id), row.id, project.flows)
        return _project(row)

    async def get(self, user_id: uuid.UUID, project_id: uuid.UUID) -> Project:
        """One project.

        Raises:
            ProjectNotFoundError: It is not the user's.
        """
        async with self._database.session() as session:
            return _project(await _own(ProjectRepository(session, user_id), project_id))

    async def list(self, user_id: uuid.UUID) -> list[Project]:
        """All projects of the user, the default one first, then the oldest first."""
        async with self._database.session() as session:
            rows = await ProjectRepository(session, user_id).all()
        return [_project(row) for row in sorted(rows, key=lambda row: row.name != DEFAULT_PROJECT)]

    @again_when_taken
    async def update(self, user_id: uuid.UUID, project_id: uuid.UUID, patch: ProjectPatch) -> Project:
        """Change a project.

        Raises:
            ProjectNotFoundError: It, or its new parent, is not the user's.
            FlowNotFoundError: A flow that it shall have is not the user's; nothing is changed.
            InvalidInputError: The name is wrong, or the parent is the project itself or below it.
            NameTakenError: Another project of the user has the name.
        """
        if patch.name is not UNSET:
            check_name(patch.name, "project")
        check_texts(patch)
        async with self._database.transaction() as session:
            projects = ProjectRepository(session, user_id)
            row = await _own(projects, project_id)
            if isinstance(patch.name, str) and patch.name != row.name:
                if await projects.by_name(patch.name) is not None:
                    raise NameTakenError("project", "name", patch.name)
                row.name = patch.name
            if patch.parent_id is not UNSET:
                await _check_parent(projects, patch.parent_id, of=project_id)
                row.parent_id = patch.parent_id
            if patch.description is not UNSET:
                row.description = patch.description
            if patch.auth_settings is not UNSET:
                row.auth_settings = patch.auth_settings
            row.updated_at = utc_now()
            if patch.flows is not UNSET:
                flows = FlowRepository(session, user_id)
                await _take_in(flows, project_id, patch.flows)
                rest = await default_project(session, user_id)
                await flows.move_rest(project_id, patch.flows, rest.id, row.updated_at)
            await session.flush()
        return _project(row)

    async def delete(self, user_id: uuid.UUID, project_id: uuid.UUID) -> None:
        """Delete a project and its flows, with their messages, builds and sessions.

        Raises:
            ProjectNotFoundError: It is not the user's.
        """
        async with self._database.transaction() as session:
            if not await ProjectRepository(session, user_id).delete(project_id):
                raise ProjectNotFoundError


async def default_project(session: AsyncSession, user_id: uuid.UUID) -> FolderRow:
    """The default project of the user in this transaction, made if there is none."""
    projects = ProjectRepository(session, user_id)
    row = await projects.by_name(DEFAULT_PROJECT)
    return row or await projects.add(FolderRow(id=new_id(), user_id=user_id, name=DEFAULT_PROJECT))


def _project(row: FolderRow) -> Project:
    return msgspec.convert(row, Project, from_attributes=True)


async def _own(projects: ProjectRepository, project_id: uuid.UUID) -> FolderRow:
    row = await projects.get(project_id)
    if row is None:
        raise ProjectNotFoundError
    return row


async def _check_parent(
    projects: ProjectRepository, parent_id: uuid.UUID | None, *, of: uuid.UUID | None = None
) -> None:
    """Refuse a parent that is not the user's, and one that would make a circle with the project ``of``."""
    while parent_id is not None:
        if parent_id == of:
            raise InvalidInputError("a project cannot be inside itself", service="session", fix="choose another parent")
        parent_id = (await _own(projects, parent_id)).parent_id


async def _take_in(flows: FlowRepository, project_id: uuid.UUID, flow_ids: tuple[uuid.UUID, ...]) -> None:
    if flow_ids:
        if await flows.missing(flow_ids):
            raise FlowNotFoundError
        await flows.move(flow_ids, project_id, utc_now())
