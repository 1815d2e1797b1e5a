"""Files of flows: version 1 of the file routes."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from bedplate.services.errors import InvalidInputError
from bedplate.services.storage import Namespace, OnTaken
from bedplate.services.storage.names import check_name
from bedplate.wiring import Sessions, Storage, inject
from bedplate.wiring.http.downloads import DOWNLOADS, file_response, inline_image
from bedplate.wiring.http.multipart import UPLOAD_BODY, uploaded_file
from bedplate.wiring.http.schemas.files import FileLink, FileNames, FlowFileUploaded, FlowLinkRequest
from bedplate.wiring.http.security import CurrentUser

__all__ = ["own_flow", "router"]

router = APIRouter(prefix="/api/v1/files", tags=["Files"])


@inject
async def own_flow(flow_id: UUID, user: CurrentUser, session: Sessions) -> Namespace:
    """The files of the flow in the path, which must be the caller's.

    Raises:
        FlowNotFoundError: It is not.
    """
    await session.flows.get(user.id, flow_id)
    return Namespace.flow(user.id, flow_id)


FlowFiles = Annotated[Namespace, Depends(own_flow)]


@router.post("/upload/{flow_id}", status_code=201, openapi_extra=UPLOAD_BODY)
@inject
async def upload_file(request: Request, files: FlowFiles, storage: Storage) -> FlowFileUploaded:
    """Add a file to a flow; its name gets the local time in front, and a number if another came in the same second."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    async with uploaded_file(request) as file:
        name = f"{now}_{check_name(file.filename)}"
        saved = await storage.save(files, name, file, on_taken=OnTaken.NUMBER)
    return FlowFileUploaded(flow_id=str(files.id), file_path=f"{files.id}/{saved.name}")


@router.get("/download/{flow_id}/{file_name}", response_class=Response, responses=DOWNLOADS)
@inject
async def download_file(request: Request, file_name: str, files: FlowFiles, storage: Storage) -> Response:
    """A file of a flow, or the part that the request asks for."""
    return file_response(request, await storage.open(files, file_name), file_name)


@router.get("/images/{flow_id}/{file_name}", response_class=Response, responses=DOWNLOADS)
@inject
async def download_image(request: Request, file_name: str, files: FlowFiles, storage: Storage) -> Response:
    """An image of a flow; shown where it is of a kind that can only be looked at, else to be saved."""
    file = await storage.open(files, file_name)
    if file.info.content_type.startswith("image/"):
        return inline_image(request, file)
    file.close()
    raise InvalidInputError(f"Content type {file.info.content_type} is not an image", service="storage")


@router.post("/link/{flow_id}/{file_name}")
@inject
async def link_to_file(file_name: str, wanted: FlowLinkRequest, files: FlowFiles, storage: Storage) -> FileLink:
    """A link that opens a file of a flow, or saves it, to whoever has it, for a time."""
    url = await storage.signed_url(
        files, file_name, method=wanted.method, expires_in=wanted.expires_in, inline=wanted.inline
    )
    return FileLink.model_validate(url, from_attributes=True)


@router.get("/list/{flow_id}")
@inject
async def list_files(
    request: Request,
    response: Response,
    files: FlowFiles,
    storage: Storage,
    limit: Annotated[int | None, Query(ge=1, le=10_000)] = None,
    cursor: str | None = None,
) -> FileNames:
    """The names of the files of a flow; with ``limit``, a page of them, and the next one in the header ``Link``."""
    if limit is None and cursor is None:
        return FileNames(files=[file.name for file in await storage.list(files)])
    page = await storage.page(files, cursor=cursor, limit=limit or 100)
    if page.cursor is not None:
        following = request.url.include_query_params(limit=limit or 100, cursor=page.cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return FileNames(files=[file.name for file in page.files])


@router.delete("/delete/{flow_id}/{file_name}")
@inject
async def delete_file(file_name: str, files: FlowFiles, storage: Storage) -> dict[str, str]:
    """Delete a file of a flow."""
    await storage.delete(files, file_name)
    return {"message": f"File {file_name} deleted successfully"}
