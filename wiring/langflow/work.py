"""Projects and flows."""

import uuid
from typing import Any

from sqlmodel import col, select

from bedplate.services.database.models import FlowRow, FolderRow, utc_now
from bedplate.services.database.repositories.flow import FlowRepository
from bedplate.services.database.repositories.project import ProjectRepository
from bedplate.services.errors import BedplateError
from bedplate.services.session import AccessType, NewFlow
from bedplate.services.session.names import next_endpoint, next_name
from bedplate.services.session.projects import default_project
from bedplate.services.session.validation import check_flow, check_name
from bedplate.wiring.langflow.source import LangflowSource
from bedplate.wiring.langflow.target import Target
from bedplate.wiring.langflow.values import SourceRow

__all__ = ["carry_flows", "carry_projects"]

_ACCESS = {"PUBLIC": AccessType.PUBLIC, "PRIVATE": AccessType.PRIVATE}


async def carry_projects(source: LangflowSource, target: Target) -> dict[uuid.UUID, uuid.UUID]:
    """Carry projects over; one whose name its owner has here already becomes one with that.

    Returns:
        The projects here, by the ids of those there.
    """
    projects: dict[uuid.UUID, uuid.UUID] = {}
    parents: dict[uuid.UUID, uuid.UUID] = {}
    async for row in source.rows("folder"):
        key, name = row.id(), row.text("name")
        try:
            projects[key] = await _carry_project(row, target)
            if projects[key] == key and (parent := row.id_or_none("parent_id")) is not None:
                parents[key] = parent
        except BedplateError as error:
            target.report.left_out("folder", key, name, error.what)
    for key, parent in parents.items():
        if parent in projects and (made := await target.session.get(FolderRow, key)) is not None:
            made.parent_id = projects[parent]
    return projects


async def _carry_project(row: SourceRow, target: Target) -> uuid.UUID:
    key, name, owner = row.id(), row.text("name"), target.owners.of(row)
    check_name(name, "project")
    if await target.is_here(FolderRow, key, owner):
        target.report.present("folder")
        return key
    if (same := await ProjectRepository(target.session, owner).by_name(name)) is not None:
        target.report.changed("folder", key, name, ["its flows went to the project of the same name"])
        return same.id
    access = row.object("auth_settings") or {}
    await target.insert(
        [FolderRow(id=key, user_id=owner, name=name, description=row.text_or_none("description"))],
    )
    protected = access.get("auth_type") not in (None, "none", "apikey")
    target.report.changed("folder", key, name, ["its MCP credentials were not carried over"] if protected else [])
    return key


async def carry_flows(source: LangflowSource, target: Target, projects: dict[uuid.UUID, uuid.UUID]) -> None:
    """Carry flows and saved components over; their ids stay, since messages, files and clients name them."""
    async for row in source.rows("flow"):
        key, name = row.id(), row.text("name")
        try:
            await _carry_flow(row, target, projects)
        except BedplateError as error:
            target.report.left_out("flow", key, name, error.what)


async def _carry_flow(row: SourceRow, target: Target, projects: dict[uuid.UUID, uuid.UUID]) -> None:
    key, owner = row.id(), target.owners.of(row)
    if await target.is_here(FlowRow, key, owner):
        target.flows[key] = owner
        target.report.present("flow")
        return
    flow = _flow(row)
    check_flow(flow, target.settings.session.max_flow_bytes)
    flows, reasons = FlowRepository(target.session, owner), []
    free = next_name(flow.name, await flows.names_like(flow.name))
    if free != flow.name:
        reasons.append(f"its name was taken: it is called {free!r}")
    endpoint = flow.endpoint_name
    if endpoint and (endpoint := next_endpoint(endpoint, await _endpoints(target, owner))) != flow.endpoint_name:
        reasons.append(f"its endpoint name was taken: it is {endpoint!r}")
    project = projects.get(row.id_or_none("folder_id") or key)
    if project is None:
        project = (await default_project(target.session, owner)).id
        reasons.append("its project is not there: it went to the default one")
    values = {field: getattr(flow, field) for field in flow.__struct_fields__ if field in FlowRow.model_fields}
    times = _times(row)
    values |= {"id": key, "user_id": owner, "folder_id": project, "name": free, "endpoint_name": endpoint or None}
    await target.insert([FlowRow(**values | times | {"access_type": flow.access_type.value})])
    target.flows[key] = owner
    target.report.changed("flow", key, flow.name, reasons)


def _flow(row: SourceRow) -> NewFlow:
    return NewFlow(
        name=row.text("name"),
        description=row.text_or_none("description"),
        icon=row.text_or_none("icon"),
        icon_bg_color=row.text_or_none("icon_bg_color"),
        gradient=row.text_or_none("gradient"),
        data=row.object("data"),
        is_component=row.flag("is_component"),
        webhook=row.flag("webhook"),
        endpoint_name=row.text_or_none("endpoint_name"),
        tags=[str(tag) for tag in row.list("tags")] or None,
        locked=row.flag("locked"),
        mcp_enabled=row.flag("mcp_enabled"),
        action_name=row.text_or_none("action_name"),
        action_description=row.text_or_none("action_description"),
        access_type=_ACCESS.get(row.text("access_type").upper(), AccessType.PRIVATE),
    )


def _times(row: SourceRow) -> dict[str, Any]:
    updated = row.time("updated_at") or utc_now()
    return {"created_at": updated, "updated_at": updated}


async def _endpoints(target: Target, owner: uuid.UUID) -> set[str]:
    found = await target.session.exec(select(col(FlowRow.endpoint_name)).where(FlowRow.user_id == owner))
    return {name for name in found if name}
