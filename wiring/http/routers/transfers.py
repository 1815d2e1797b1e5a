"""Flows and projects as files: many at once, downloads and uploads."""

import contextlib
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse

from bedplate.services.engines.workers import Workers as WorkersEngine
from bedplate.services.errors import NotFoundError, TooLargeError
from bedplate.services.session import Flow, FlowNotFoundError, FlowQuery, NewProject
from bedplate.services.settings import SettingsService
from bedplate.wiring import Database, Redactor, Sessions, Settings, Workers, inject
from bedplate.wiring.http.downloads import bytes_response
from bedplate.wiring.http.exports import flow_document, flow_documents_zip
from bedplate.wiring.http.imports import Import, ImportLimits, read_import
from bedplate.wiring.http.multipart import UPLOAD_BODY, read_upload
from bedplate.wiring.http.routers.flows import flow_values, new_flow
from bedplate.wiring.http.routers.projects import FOLDER_PARAMETER, redirect_folder
from bedplate.wiring.http.schemas.flows import FlowListCreate, FlowRead
from bedplate.wiring.http.security import CurrentUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["Flows"])


def _read(flows: list[Flow]) -> list[FlowRead]:
    return [FlowRead.model_validate(flow_values(flow)) for flow in flows]


async def _import(request: Request, settings: SettingsService, workers: WorkersEngine) -> Import:
    """What an upload brings, read on a thread: unpacking and parsing it takes long."""
    values = settings.values
    name, content = await read_upload(request, values.server.max_body_bytes)
    limits = ImportLimits(flows=values.session.max_import_flows, bytes=values.session.max_import_bytes)
    return await workers.run("imports", 1, read_import, name, content, limits)


@router.post("/flows/batch/", status_code=201)
@inject
async def create_flows(body: FlowListCreate, user: CurrentUser, session: Sessions) -> list[FlowRead]:
    """Make several flows, all or none; a name that is taken is refused."""
    return _read(await session.flows.create_all(user.id, [new_flow(flow) for flow in body.flows]))


@router.post("/flows/upload/", status_code=201, openapi_extra=UPLOAD_BODY)
@inject
async def upload_flows(
    request: Request,
    user: CurrentUser,
    session: Sessions,
    settings: Settings,
    workers: Workers,
    folder_id: UUID | None = None,
) -> list[FlowRead]:
    """Import flows from a document or an archive, all or none; names that are taken get numbers."""
    if folder_id is not None:
        await session.projects.get(user.id, folder_id)
    found = await _import(request, settings, workers)
    return _read(await session.flows.import_all(user.id, found.flows(folder_id)))


@router.post("/flows/download/", response_class=Response)
@inject
async def download_flows(
    flow_ids: Annotated[list[UUID], Body()],
    user: CurrentUser,
    session: Sessions,
    settings: Settings,
    workers: Workers,
    redactor: Redactor,
) -> Response:
    """Those of the flows that are the caller's: one as a document, several as an archive; without their secrets."""
    most = settings.values.session.max_import_flows
    if len(flow_ids) > most:
        raise TooLargeError(f"{len(flow_ids)} flows are more than one download may have: {most}", service="session")
    flows = []
    for flow_id in dict.fromkeys(flow_ids):
        with contextlib.suppress(FlowNotFoundError):
            flows.append(await session.flows.get(user.id, flow_id))
    if not flows:
        raise NotFoundError("No flows found", service="session")
    documents = [flow_document(flow, redactor.is_secret_name) for flow in flows]
    if len(documents) == 1:
        return JSONResponse(documents[0])
    return bytes_response(await workers.run("imports", 1, flow_documents_zip, documents), f"{_now()}_flows.zip")


@router.get("/projects/download/{project_id}", response_class=Response, tags=["Projects"])
@inject
async def download_project(
    project_id: UUID, user: CurrentUser, session: Sessions, workers: Workers, redactor: Redactor
) -> Response:
    """The flows of a project as an archive, without their secrets."""
    project = await session.projects.get(user.id, project_id)
    flows = await session.flows.list(user.id, FlowQuery(project_id=project_id))
    if not flows:
        raise NotFoundError("No flows found in project", service="session")
    documents = [flow_document(flow, redactor.is_secret_name) for flow in flows]
    return bytes_response(await workers.run("imports", 1, flow_documents_zip, documents), f"{project.name}.zip")


@router.post("/projects/upload/", status_code=201, openapi_extra=UPLOAD_BODY, tags=["Projects"])
@inject
async def upload_project(
    request: Request, user: CurrentUser, session: Sessions, settings: Settings, workers: Workers, database: Database
) -> list[FlowRead]:
    """Import a project with its flows from a document or an archive, all or nothing."""
    found = await _import(request, settings, workers)
    new = NewProject(name=found.project_name, description=found.project_description)
    async with database.transaction():
        project = await session.projects.create(user.id, new)
        return _read(await session.flows.import_all(user.id, found.flows(project.id)))


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y%m%d_%H%M%S")


for _path, _method in (("/folders/download/{folder_id}", "GET"), ("/folders/upload/", "POST")):
    router.add_api_route(
        _path,
        redirect_folder,
        methods=[_method],
        status_code=307,
        response_class=Response,
        openapi_extra=FOLDER_PARAMETER if "id" in _path else None,
        operation_id=f"redirect_folders_{_method.lower()}",
    )
