"""Flows: documents of a user, and what is known of them."""

import builtins
import uuid
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import UNSET
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import FlowRow, new_id, utc_now
from bedplate.services.database.repositories.flow import FLOWS, FlowRepository
from bedplate.services.database.repositories.project import ProjectRepository
from bedplate.services.session.digest import content_digest
from bedplate.services.session.errors import FlowNotFoundError, NameTakenError, ProjectNotFoundError
from bedplate.services.session.models import CursorPage, Flow, FlowHeader, FlowPatch, FlowQuery, NewFlow, Page
from bedplate.services.session.names import again_when_taken, next_endpoint, next_name
from bedplate.services.session.projects import default_project
from bedplate.services.session.results import BuiltResults
from bedplate.services.session.validation import check_flow, webhook_nodes

__all__ = ["Flows"]


class Flows:
    """The flows of every user; each method but :meth:`public` sees those of one.

    Args:
        database: Where they are kept.
        max_bytes: Largest flow document, as JSON.
        results: What their frozen vertices gave, forgotten when their content changes.
    """

    def __init__(self, database: DatabaseService, max_bytes: int, results: BuiltResults) -> None:
        self._database = database
        self._max_bytes = max_bytes
        self._results = results

    async def create(self, user_id: uuid.UUID, flow: NewFlow) -> Flow:
        """Make a flow; a name that is taken becomes ``"name (1)"``, an endpoint name ``"name-1"``.

        Raises:
            InvalidInputError: A value is wrong, or the document is too large.
            ProjectNotFoundError: The project is not the user's.
        """
        return (await self.import_all(user_id, [flow]))[0]

    async def import_all(self, user_id: uuid.UUID, flows: Sequence[NewFlow]) -> builtins.list[Flow]:
        """Make several flows, all or none; names that are taken are numbered as by :meth:`create`.

        Raises:
            InvalidInputError: A value is wrong, or a document is too large.
            ProjectNotFoundError: A project is not the user's.
        """
        return await self._create_all(user_id, flows, numbered=True)

    async def create_all(self, user_id: uuid.UUID, flows: Sequence[NewFlow]) -> builtins.list[Flow]:
        """Make several flows, all or none.

        Raises:
            InvalidInputError: A value is wrong, or a document is too large.
            ProjectNotFoundError: A project is not the user's.
            NameTakenError: A name or endpoint name is taken, or given twice.
        """
        return await self._create_all(user_id, flows, numbered=False)

    async def get(self, user_id: uuid.UUID, flow_id: uuid.UUID) -> Flow:
        """One flow.

        Raises:
            FlowNotFoundError: It is not the user's.
        """
        async with self._database.session() as session:
            return _flow(await _own(FlowRepository(session, user_id), flow_id))

    async def find(self, user_id: uuid.UUID, id_or_endpoint: str) -> Flow:
        """One flow by its id or its endpoint name.

        Raises:
            FlowNotFoundError: It is not the user's.
        """
        async with self._database.session() as session:
            flows = FlowRepository(session, user_id)
            try:
                row = await flows.get(uuid.UUID(id_or_endpoint))
            except ValueError:
                row = await flows.by_endpoint(id_or_endpoint)
        if row is None:
            raise FlowNotFoundError
        return _flow(row)

    async def public(self, flow_id: uuid.UUID) -> Flow:
        """A flow of anyone, for anyone, if its owner made it public.

        Raises:
            FlowNotFoundError: There is none, or it is private.
        """
        async with self._database.session() as session:
            row = await FlowRepository.public(session, flow_id)
        if row is None:
            raise FlowNotFoundError
        return _flow(row)

    async def webhook(self, user_id: uuid.UUID | None, id_or_endpoint: str) -> Flow:
        """The flow that a webhook may start: the user's own by id or endpoint name, anybody's public one by its id.

        Args:
            user_id: Who calls; None for a caller without credentials.
            id_or_endpoint: What the caller calls the flow.

        Raises:
            FlowNotFoundError: There is none, or it is another's and private.
        """
        if user_id is not None:
            with suppress(FlowNotFoundError):
                return await self.find(user_id, id_or_endpoint)
        try:
            flow_id = uuid.UUID(id_or_endpoint)
        except ValueError:
            # Two users may have endpoints of one name.
            raise FlowNotFoundError from None
        return await self.public(flow_id)

    async def list(self, user_id: uuid.UUID, query: FlowQuery = FlowQuery()) -> builtins.list[Flow]:  # noqa: B008 - frozen
        """All flows that match, oldest first."""
        async with self._database.session() as session:
            rows = await FlowRepository(session, user_id).matching(**msgspec.structs.asdict(query))
        return [_flow(row) for row in rows]

    async def headers(self, user_id: uuid.UUID, query: FlowQuery = FlowQuery()) -> builtins.list[FlowHeader]:  # noqa: B008 - frozen
        """What a list shows of all flows that match, oldest first, without reading their documents."""
        async with self._database.session() as session:
            flows = FlowRepository(session, user_id)
            rows = await flows.matching(**msgspec.structs.asdict(query), with_data=False)
            data = await flows.component_data(query.project_id, query.search)
        return [_header(row, data.get(row.id)) for row in rows]

    async def missing(self, user_id: uuid.UUID, flow_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Those of the ids that are no flows of the user."""
        async with self._database.session() as session:
            return await FlowRepository(session, user_id).missing(flow_ids)

    async def page(self, user_id: uuid.UUID, query: FlowQuery, *, page: int, size: int) -> Page[Flow]:
        """One page of the flows that match, oldest first.

        Args:
            user_id: The owner.
            query: Which flows.
            page: Which page, from 1.
            size: Flows of a page, from 1.
        """
        criteria: dict[str, Any] = msgspec.structs.asdict(query)
        async with self._database.session() as session:
            flows = FlowRepository(session, user_id)
            rows = await flows.matching(**criteria, offset=(page - 1) * size, limit=size)
            total = await flows.count(**criteria)
        return Page(items=tuple(_flow(row) for row in rows), total=total, page=page, size=size)

    async def browse(
        self,
        user_id: uuid.UUID,
        *,
        project_id: uuid.UUID | None = None,
        is_component: bool | None = None,
        search: str = "",
        cursor: str | None = None,
        limit: int = 50,
    ) -> CursorPage[Flow]:
        """Some of the flows that match, newest first.

        Args:
            user_id: The owner.
            project_id: In this project.
            is_component: Saved components, or flows.
            search: A text in their name or description.
            cursor: ``next_cursor`` of the part before.
            limit: Most flows, up to 1,000.

        Raises:
            InvalidInputError: The cursor or the limit is none that can be used.
        """
        asked = {"folder_id": project_id, "is_component": is_component}
        where = {name: value for name, value in asked.items() if value is not None}
        async with self._database.session() as session:
            page = await FLOWS.page(session, user_id, where=where, search=search, cursor=cursor, limit=limit)
        return CursorPage(items=tuple(_flow(row) for row in page.rows), next_cursor=page.next_cursor)

    @again_when_taken
    async def update(self, user_id: uuid.UUID, flow_id: uuid.UUID, patch: FlowPatch) -> Flow:
        """Change a flow.

        Raises:
            FlowNotFoundError: It is not the user's.
            ProjectNotFoundError: Its new project is not the user's.
            InvalidInputError: A value is wrong, or the document is too large.
            NameTakenError: Another flow of the user has the name or the endpoint name.
        """
        check_flow(patch, self._max_bytes)
        changes = {name: value for name in FlowPatch.__struct_fields__ if (value := getattr(patch, name)) is not UNSET}
        if "endpoint_name" in changes:
            changes["endpoint_name"] = changes["endpoint_name"] or None
        async with self._database.transaction() as session:
            flows = FlowRepository(session, user_id)
            row = await _own(flows, flow_id)
            before = row.data
            for column in ("name", "endpoint_name"):
                value = changes.get(column)
                if value is not None and await flows.is_taken(column, value, but=flow_id):
                    raise NameTakenError("flow", column, value)
            await _check_project(session, user_id, changes.get("folder_id"))
            for name, value in changes.items():
                setattr(row, name, value)
            row.webhook = bool(webhook_nodes(row.data))
            row.updated_at = utc_now()
            await session.flush()
        if "data" in changes and self._digest(before) != self._digest(row.data):
            await self._results.forget_flows(user_id, flow_id)
        return _flow(row)

    def _digest(self, data: dict[str, Any] | None) -> str:
        return content_digest(data or {}, self._max_bytes)

    async def delete(self, user_id: uuid.UUID, flow_id: uuid.UUID) -> None:
        """Delete a flow with its messages, builds and sessions.

        Raises:
            FlowNotFoundError: It is not the user's.
        """
        if not await self.delete_all(user_id, [flow_id]):
            raise FlowNotFoundError

    async def delete_all(self, user_id: uuid.UUID, flow_ids: Sequence[uuid.UUID]) -> int:
        """Delete those of the flows that are the user's; return how many were."""
        async with self._database.transaction() as session:
            deleted = await FlowRepository(session, user_id).delete(flow_ids)
        if deleted:
            await self._results.forget_flows(user_id, *flow_ids)
        return deleted

    @again_when_taken
    async def _create_all(self, user_id: uuid.UUID, flows: Sequence[NewFlow], *, numbered: bool) -> builtins.list[Flow]:
        for flow in flows:
            check_flow(flow, self._max_bytes)
        async with self._database.transaction() as session:
            return [_flow(await _insert(session, user_id, flow, numbered=numbered)) for flow in flows]


async def _insert(session: AsyncSession, user_id: uuid.UUID, flow: NewFlow, *, numbered: bool) -> FlowRow:
    flows = FlowRepository(session, user_id)
    names = await flows.names_like(flow.name)
    endpoint = flow.endpoint_name or None
    endpoints = await flows.endpoints_like(endpoint) if endpoint else []
    if not numbered:
        _require_free("name", flow.name, names)
        _require_free("endpoint_name", endpoint, endpoints)
    await _check_project(session, user_id, flow.folder_id)
    values = msgspec.structs.asdict(flow) | {
        "id": flow.id if flow.id and not await flows.id_exists(flow.id) else new_id(),
        "user_id": user_id,
        "folder_id": flow.folder_id or (await default_project(session, user_id)).id,
        "name": next_name(flow.name, names),
        "endpoint_name": next_endpoint(endpoint, endpoints) if endpoint else None,
    }
    return await flows.add(FlowRow(**values))


def _require_free(field: str, value: str | None, taken: Sequence[str]) -> None:
    if value is not None and value in taken:
        raise NameTakenError("flow", field, value)


async def _check_project(session: AsyncSession, user_id: uuid.UUID, project_id: uuid.UUID | None) -> None:
    if project_id is not None and await ProjectRepository(session, user_id).get(project_id) is None:
        raise ProjectNotFoundError


async def _own(flows: FlowRepository, flow_id: uuid.UUID) -> FlowRow:
    row = await flows.get(flow_id)
    if row is None:
        raise FlowNotFoundError
    return row


def _flow(row: FlowRow) -> Flow:
    return msgspec.convert(row, Flow, from_attributes=True)


def _header(row: FlowRow, data: dict[str, Any] | None) -> FlowHeader:
    known = {name: getattr(row, name) for name in FlowHeader.__struct_fields__ if name != "data"}
    return msgspec.convert({**known, "data": data}, FlowHeader)
