"""Files of users: version 2 of the file routes, with and without a slash at the end."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse

from bedplate.services.errors import InvalidInputError, NotFoundError
from bedplate.services.storage import FileTooLargeError, Namespace, UserFile
from bedplate.wiring import Settings, Storage, inject
from bedplate.wiring.http.downloads import DOWNLOADS, file_response, zip_response
from bedplate.wiring.http.multipart import UPLOAD_BODY, uploaded_file
from bedplate.wiring.http.schemas.files import (
    FileLink,
    FileRead,
    LinkRequest,
    StorageUsageRead,
    UserFileUploaded,
)
from bedplate.wiring.http.security import CurrentUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v2/files", tags=["Files"])

FileIds = Annotated[list[UUID], Body()]


def _uploaded(file: UserFile) -> UserFileUploaded:
    return UserFileUploaded.model_validate(file, from_attributes=True)


@router.post("", status_code=201, openapi_extra=UPLOAD_BODY)
@router.post("/", status_code=201, openapi_extra=UPLOAD_BODY)
@inject
async def upload_file(request: Request, user: CurrentUser, storage: Storage) -> UserFileUploaded:
    """Add a file to the caller's; a name that is taken gets a number."""
    async with uploaded_file(request) as file:
        return _uploaded(await storage.files.add(user.id, file.filename, file))


@router.get("")
@router.get("/")
@inject
async def list_files(user: CurrentUser, storage: Storage) -> list[FileRead]:
    """The caller's files."""
    return [FileRead.model_validate(file, from_attributes=True) for file in await storage.files.list(user.id)]


@router.delete("")
@router.delete("/")
@inject
async def delete_all_files(user: CurrentUser, storage: Storage) -> dict[str, str]:
    """Delete all of the caller's files."""
    await storage.files.delete_all(user.id)
    return {"message": "All files deleted successfully"}


@router.get("/usage")
@inject
async def storage_usage(user: CurrentUser, storage: Storage) -> StorageUsageRead:
    """What the caller's files take up, those of flows included, and how much they may."""
    return StorageUsageRead.model_validate(await storage.usage(user.id), from_attributes=True)


@router.post("/{file_id}/link")
@inject
async def link_to_file(file_id: UUID, wanted: LinkRequest, user: CurrentUser, storage: Storage) -> FileLink:
    """A link that opens one of the caller's files to whoever has it, for a time."""
    file = await storage.files.get(user.id, file_id)
    url = await storage.signed_url(
        Namespace.user(user.id),
        file.stored_name,
        expires_in=wanted.expires_in,
        filename=file.filename,
        inline=wanted.inline,
    )
    return FileLink.model_validate(url, from_attributes=True)


@router.post("/batch/", response_class=Response)
@inject
async def download_files(file_ids: FileIds, user: CurrentUser, storage: Storage) -> Response:
    """Those of the files that are the caller's, as one archive."""
    files = await storage.files.get_many(user.id, file_ids)
    if not files:
        raise NotFoundError("No files found", service="storage")
    now = datetime.now().astimezone().strftime("%Y%m%d_%H%M%S")
    return zip_response(storage.files.archive(files), f"{now}_files.zip")


@router.delete("/batch/")
@inject
async def delete_files(file_ids: FileIds, user: CurrentUser, storage: Storage) -> dict[str, str]:
    """Delete those of the files that are the caller's."""
    deleted = await storage.files.delete(user.id, file_ids)
    if not deleted:
        raise NotFoundError("No files found", service="storage")
    return {"message": f"{len(deleted)} files deleted successfully"}


@router.get("/{file_id}", response_class=Response, responses=DOWNLOADS)
@inject
async def download_file(
    request: Request,
    file_id: UUID,
    user: CurrentUser,
    storage: Storage,
    settings: Settings,
    return_content: bool = False,
) -> Response:
    """A file to save; or with ``return_content`` its text, as a JSON string."""
    file = await storage.files.get(user.id, file_id)
    opened = await storage.files.open(file)
    if not return_content:
        return file_response(request, opened, file.filename)
    limit = settings.values.server.max_body_bytes
    async with opened:
        if opened.info.size > limit:
            raise FileTooLargeError(limit)
        content = await opened.read()
    try:
        return JSONResponse(content.decode())
    except UnicodeDecodeError:
        raise InvalidInputError("the file is not a text in UTF-8", service="storage", fix="download it") from None


@router.put("/{file_id}")
@inject
async def rename_file(file_id: UUID, name: str, user: CurrentUser, storage: Storage) -> UserFileUploaded:
    """Call a file something else; its extension stays."""
    return _uploaded(await storage.files.rename(user.id, file_id, name))


@router.delete("/{file_id}")
@inject
async def delete_file(file_id: UUID, user: CurrentUser, storage: Storage) -> dict[str, str]:
    """Delete one of the caller's files."""
    file = await storage.files.get(user.id, file_id)
    await storage.files.delete(user.id, [file_id])
    return {"detail": f"File {file.name} deleted successfully"}
