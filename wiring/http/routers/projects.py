"""Projects, and their older name, folders."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request, Response

from bedplate.services.session import FlowQuery, NameTakenError, NewProject, Project, ProjectPatch
from bedplate.services.settings import SettingsService
from bedplate.services.storage import Namespace
from bedplate.wiring import Sessions, Settings, Storage, inject
from bedplate.wiring.http.routers.flows import flow_values
from bedplate.wiring.http.schemas.flows import (
    MAX_PAGE,
    FlowFull,
    FlowRead,
    Page,
    ProjectCreate,
    ProjectRead,
    ProjectReadWithFlows,
    ProjectUpdate,
    ProjectWithPage,
)
from bedplate.wiring.http.security import CurrentUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["Projects"])


def _values(project: Project, settings: SettingsService) -> dict[str, Any]:
    values = msgspec.structs.asdict(project)
    if not values["auth_settings"] and not settings.values.auth.auto_login:
        values["auth_settings"] = {"auth_type": "apikey"}
    return values


@router.get("/projects/")
@inject
async def list_projects(user: CurrentUser, session: Sessions, settings: Settings) -> list[ProjectRead]:
    """The caller's projects, the default one first."""
    projects = await session.projects.list(user.id)
    return [ProjectRead.model_validate(_values(project, settings)) for project in projects]


@router.post("/projects/", status_code=201)
@inject
async def create_project(body: ProjectCreate, user: CurrentUser, session: Sessions, settings: Settings) -> ProjectRead:
    """Make a project, moving flows and components into it."""
    new = NewProject(
        name=body.name,
        description=body.description,
        auth_settings=body.auth_settings,
        flows=(*(body.flows_list or ()), *(body.components_list or ())),
    )
    return ProjectRead.model_validate(_values(await session.projects.create(user.id, new), settings))


@router.get("/projects/{project_id}")
@inject
async def read_project(
    project_id: UUID,
    user: CurrentUser,
    session: Sessions,
    settings: Settings,
    page: Annotated[int | None, Query(ge=1, le=MAX_PAGE)] = None,
    size: Annotated[int | None, Query(ge=1, le=100)] = None,
    is_component: bool = False,
    is_flow: bool = False,
    search: str = "",
) -> ProjectWithPage | ProjectReadWithFlows:
    """A project with its flows: one page where page and size are given, all of them otherwise."""
    project = _values(await session.projects.get(user.id, project_id), settings)
    only = is_component if is_component != is_flow else None
    query = FlowQuery(project_id=project_id, is_component=only, search=search)
    if page is None or size is None:
        flows = await session.flows.list(user.id, query)
        return ProjectReadWithFlows(**project, flows=[FlowRead.model_validate(flow_values(flow)) for flow in flows])
    found = await session.flows.page(user.id, query, page=page, size=size)
    items = [FlowFull.model_validate(flow_values(flow)) for flow in found.items]
    return ProjectWithPage(
        folder=ProjectRead.model_validate(project),
        flows=Page(items=items, total=found.total, page=page, size=size, pages=found.pages),
    )


@router.patch("/projects/{project_id}")
@inject
async def update_project(
    project_id: UUID, body: ProjectUpdate, user: CurrentUser, session: Sessions, settings: Settings
) -> ProjectRead:
    """Change a project; where flows or components are sent, they are what it holds from now on."""
    sent = body.model_dump(exclude_unset=True, exclude_none=True)
    flows = (*sent.pop("flows", ()), *sent.pop("components", ()))
    if body.model_fields_set & {"flows", "components"}:
        sent["flows"] = flows
    try:
        project = await session.projects.update(user.id, project_id, ProjectPatch(**sent))
    except NameTakenError as error:
        raise HTTPException(400, "Project name must be unique") from error
    return ProjectRead.model_validate(_values(project, settings))


@router.delete("/projects/{project_id}", status_code=204)
@inject
async def delete_project(project_id: UUID, user: CurrentUser, session: Sessions, storage: Storage) -> Response:
    """Delete a project and its flows, with their files."""
    flows = await session.flows.headers(user.id, FlowQuery(project_id=project_id))
    await session.projects.delete(user.id, project_id)
    for flow in flows:
        await storage.delete_namespace(Namespace.flow(user.id, flow.id))
    return Response(status_code=204)


async def redirect_folder(request: Request) -> Response:
    """The same request to ``/projects``; credentials are checked there."""
    path = quote(request.url.path.replace("/folders/", "/projects/", 1))
    query = f"?{request.url.query}" if request.url.query else ""
    return Response(status_code=307, headers={"Location": f"{path}{query}"})


FOLDER_PARAMETER = {"parameters": [{"name": "folder_id", "in": "path", "required": True, "schema": {"type": "string"}}]}
"""What the OpenAPI document says of the id in a path that is sent elsewhere."""

for _path, _methods in (("/folders/", ("GET", "POST")), ("/folders/{folder_id}", ("GET", "PATCH", "DELETE"))):
    for _method in _methods:
        router.add_api_route(
            _path,
            redirect_folder,
            methods=[_method],
            status_code=307,
            response_class=Response,
            openapi_extra=FOLDER_PARAMETER if "id" in _path else None,
            operation_id=f"redirect_{_method.lower()}_{'folder' if 'id' in _path else 'folders'}",
        )
