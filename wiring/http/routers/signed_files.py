"""Files by a link, which is all the credentials that these routes ask for."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.requests import ClientDisconnect

from bedplate.services.errors import InvalidInputError
from bedplate.services.storage import FileChangedError, FileTakenError, OnTaken
from bedplate.wiring import Storage, inject
from bedplate.wiring.http.downloads import DOWNLOADS, file_response, inline_image
from bedplate.wiring.http.schemas.files import SavedFile

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/files/signed", tags=["Files"])

Token = Annotated[str, Query(max_length=4096)]

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("", response_class=Response, responses=DOWNLOADS)
@inject
async def download_by_link(request: Request, token: Token, storage: Storage) -> Response:
    """The file that the link is for, or the part of it that the request asks for."""
    access = storage.redeem(token, "GET")
    file = await storage.open(access.namespace, access.name)
    filename = access.filename or access.name
    return inline_image(request, file, filename) if access.inline else file_response(request, file, filename)


@router.put("", openapi_extra=_BODY, responses={412: DOWNLOADS[412]})
@inject
async def upload_by_link(request: Request, response: Response, token: Token, storage: Storage) -> SavedFile:
    """Save the body as the file that the link is for.

    ``If-None-Match: *`` saves a new file only, ``If-Match`` replaces the version of that entity tag only.
    """
    access = storage.redeem(token, "PUT")
    on_taken = OnTaken.REFUSE if request.headers.get("if-none-match", "").strip() == "*" else OnTaken.REPLACE
    if_match = request.headers.get("if-match")
    try:
        saved = await storage.save(access.namespace, access.name, _body(request), on_taken=on_taken, if_match=if_match)
    except FileTakenError:
        raise FileChangedError(access.name) from None
    response.headers["ETag"] = saved.etag
    return SavedFile.model_validate(saved, from_attributes=True)


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise InvalidInputError(
            "the upload ends early; nothing of it is kept", service="storage", fix="send it again"
        ) from None
