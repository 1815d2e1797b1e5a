"""Flows."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Body, HTTPException, Query, Response
from pydantic import TypeAdapter

from bedplate.services.session import FlowNotFoundError, FlowPatch, FlowQuery, NameTakenError, NewFlow
from bedplate.services.storage import Namespace
from bedplate.wiring import Sessions, Storage, inject
from bedplate.wiring.http.answers import gzip_json
from bedplate.wiring.http.schemas.flows import MAX_PAGE, FlowCreate, FlowHeader, FlowRead, FlowUpdate, Page
from bedplate.wiring.http.security import CurrentUser

__all__ = ["flow_values", "new_flow", "router"]

router = APIRouter(prefix="/api/v1/flows", tags=["Flows"])

FlowList = list[FlowRead] | Page[FlowRead] | list[FlowHeader]
_FLOWS = TypeAdapter[list[FlowRead]](list[FlowRead])
_PAGE = TypeAdapter[Page[FlowRead]](Page[FlowRead])
_HEADERS = TypeAdapter[list[FlowHeader]](list[FlowHeader])


def flow_values(flow: Any) -> dict[str, Any]:
    """The fields of a flow, as the bodies of the contract are made from."""
    values: dict[str, Any] = msgspec.structs.asdict(flow)
    return values


def new_flow(body: FlowCreate) -> NewFlow:
    """What a body asks for; what is null is the default, and owner, times and paths are not the caller's to choose."""
    sent = body.model_dump(exclude={"user_id", "updated_at", "fs_path", "webhook"}, exclude_none=True)
    return NewFlow(**sent)


@router.post("/", status_code=201)
@inject
async def create_flow(body: FlowCreate, user: CurrentUser, session: Sessions) -> FlowRead:
    """Make a flow; a name or endpoint name that is taken gets a number."""
    return FlowRead.model_validate(flow_values(await session.flows.create(user.id, new_flow(body))))


@router.get("/", response_model=FlowList)
@inject
async def list_flows(
    user: CurrentUser,
    session: Sessions,
    remove_example_flows: bool = False,  # noqa: ARG001 - there are no example flows to remove
    components_only: bool = False,
    get_all: bool = True,
    folder_id: UUID | None = None,
    header_flows: bool = False,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Response:
    """The caller's flows: all, their headers, or one page of a project."""
    query = FlowQuery(project_id=folder_id, is_component=True if components_only else None)
    if not get_all:
        found = await session.flows.page(user.id, query, page=page, size=size)
        items = [FlowRead.model_validate(flow_values(flow)) for flow in found.items]
        return gzip_json(_PAGE, Page(items=items, total=found.total, page=page, size=size, pages=found.pages))
    if header_flows:
        headers = await session.flows.headers(user.id, query)
        return gzip_json(_HEADERS, [FlowHeader.model_validate(flow_values(header)) for header in headers])
    flows = await session.flows.list(user.id, query)
    return gzip_json(_FLOWS, [FlowRead.model_validate(flow_values(flow)) for flow in flows])


@router.delete("/")
@inject
async def delete_flows(
    ids: Annotated[list[UUID], Body()], user: CurrentUser, session: Sessions, storage: Storage
) -> dict[str, int]:
    """Delete those of the flows that are the caller's, with their files."""
    deleted = await session.flows.delete_all(user.id, ids)
    for flow_id in ids:  # the files of what is not the caller's are in nobody's reach
        await storage.delete_namespace(Namespace.flow(user.id, flow_id))
    return {"deleted": deleted}


@router.get("/public_flow/{flow_id}")
@inject
async def read_public_flow(flow_id: UUID, session: Sessions) -> FlowRead:
    """A flow that its owner made public."""
    return FlowRead.model_validate(flow_values(await session.flows.public(flow_id)))


@router.get("/{flow_id}")
@inject
async def read_flow(flow_id: UUID, user: CurrentUser, session: Sessions) -> FlowRead:
    """One flow."""
    return FlowRead.model_validate(flow_values(await session.flows.get(user.id, flow_id)))


@router.patch("/{flow_id}")
@inject
async def update_flow(flow_id: UUID, body: FlowUpdate, user: CurrentUser, session: Sessions) -> FlowRead:
    """Change a flow; without ``endpoint_name`` in the body, its endpoint name is cleared."""
    try:
        flow = await session.flows.update(user.id, flow_id, FlowPatch.of_contract(body.model_dump(exclude_unset=True)))
    except FlowNotFoundError as error:
        raise HTTPException(404, "404: Flow not found") from error
    except NameTakenError as error:
        raise HTTPException(400, " flow must be unique") from error
    return FlowRead.model_validate(flow_values(flow))


@router.delete("/{flow_id}")
@inject
async def delete_flow(flow_id: UUID, user: CurrentUser, session: Sessions, storage: Storage) -> dict[str, str]:
    """Delete a flow with its messages, builds, sessions and files."""
    await session.flows.delete(user.id, flow_id)
    await storage.delete_namespace(Namespace.flow(user.id, flow_id))
    return {"message": "Flow deleted successfully"}
