"""What can be done with whole conversations: searched, exported, forked."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from bedplate.services.chat import ExportFormat, SearchOrder
from bedplate.wiring import Chat, inject
from bedplate.wiring.http.downloads import document_response
from bedplate.wiring.http.schemas.conversations import ForkCreate, ForkRead, SearchPageRead
from bedplate.wiring.http.security import CurrentUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/monitor/messages", tags=["Monitor"])

_DOCUMENTS = {
    ExportFormat.JSON: ("application/json", "json"),
    ExportFormat.MARKDOWN: ("text/markdown; charset=utf-8", "md"),
}


@router.get("/search")
@inject
async def search_messages(
    q: Annotated[str, Query(min_length=1)],
    user: CurrentUser,
    chat: Chat,
    flow_id: UUID | None = None,
    session_id: str | None = None,
    sender: str | None = None,
    order: SearchOrder = SearchOrder.BEST_FIRST,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> SearchPageRead:
    """The caller's messages that hold certain words: all of them, ``"side by side"``, ``begin*``, not ``-these``."""
    page = await chat.search(
        user.id, q, flow_id=flow_id, session_id=session_id, sender=sender, order=order, limit=limit, cursor=cursor
    )
    return SearchPageRead.model_validate(msgspec.to_builtins(page, builtin_types=(UUID,)))


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/json": {}, "text/markdown": {}}, "description": "The document"}},
)
@inject
async def export_session(
    session_id: Annotated[str, Query(min_length=1)],
    user: CurrentUser,
    chat: Chat,
    form: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.JSON,
) -> StreamingResponse:
    """A session as a document to save."""
    media_type, suffix = _DOCUMENTS[form]
    document = await chat.export(user.id, session_id, form)
    return document_response(document, media_type, f"{session_id}.{suffix}")


@router.post("/{message_id}/fork", status_code=201)
@inject
async def fork_session(message_id: UUID, user: CurrentUser, chat: Chat, body: ForkCreate | None = None) -> ForkRead:
    """Copy the messages of a session up to this one into a new session, which goes on from there."""
    made = await chat.fork(user.id, message_id, body.session_id if body else None)
    return ForkRead.model_validate(msgspec.structs.asdict(made))
