"""What runs left behind: messages, sessions, builds, transactions."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import orjson
from fastapi import APIRouter, Body, Path, Query, Response

from bedplate.services.chat import ChatService, Message, MessageOrder
from bedplate.services.session import SessionNotFoundError
from bedplate.wiring import Chat, Database, Sessions, inject
from bedplate.wiring.http.schemas.flows import MAX_PAGE, Page
from bedplate.wiring.http.schemas.messages import MessageRead, MessageResponse, MessageUpdate
from bedplate.wiring.http.schemas.monitor import TransactionRead, VertexBuildMap, VertexBuildRead
from bedplate.wiring.http.security import CurrentUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/monitor", tags=["Monitor"])

_PAGE = 1000

OrderBy = Literal["timestamp", "-timestamp"]
SessionId = Annotated[str, Path(min_length=1)]


def _response(message: Message) -> MessageResponse:
    values = msgspec.structs.asdict(message)
    # Clients read the list of files as a text in lists of messages, and as a list everywhere else.
    return MessageResponse.model_validate(values | {"files": orjson.dumps(message.files).decode()})


async def _all_messages(chat: ChatService, user_id: UUID, order: MessageOrder, **which: Any) -> Sequence[Message]:
    """Every message that matches: pages are the service's limit, and this route has none."""
    found: list[Message] = []
    cursor: str | None = None
    while True:
        page = await chat.list(user_id, order=order, limit=_PAGE, cursor=cursor, **which)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


@router.get("/messages")
@inject
async def list_messages(
    user: CurrentUser,
    chat: Chat,
    flow_id: UUID | None = None,
    session_id: str | None = None,
    sender: str | None = None,
    sender_name: str | None = None,
    order_by: OrderBy | None = "timestamp",
) -> list[MessageResponse]:
    """The caller's messages, oldest first unless told otherwise."""
    order = MessageOrder.NEWEST_FIRST if order_by == "-timestamp" else MessageOrder.OLDEST_FIRST
    messages = await _all_messages(
        chat, user.id, order, flow_id=flow_id, session_id=session_id, sender=sender, sender_name=sender_name
    )
    return [_response(message) for message in messages]


@router.delete("/messages", status_code=204)
@inject
async def delete_messages(ids: Annotated[list[UUID], Body()], user: CurrentUser, chat: Chat) -> Response:
    """Delete those of the messages that are the caller's."""
    await chat.delete(user.id, ids)
    return Response(status_code=204)


@router.put("/messages/{message_id}")
@inject
async def update_message(message_id: UUID, body: MessageUpdate, user: CurrentUser, chat: Chat) -> MessageRead:
    """Change a message; another text marks it as edited."""
    message = await chat.update(
        user.id,
        message_id,
        text=body.text,
        sender=body.sender,
        sender_name=body.sender_name,
        session_id=body.session_id,
        files=body.files,
        edit=body.edit,
        error=body.error,
        properties=body.properties.model_dump() if body.properties else None,
    )
    return MessageRead.model_validate(msgspec.structs.asdict(message))


@router.get("/messages/sessions")
@inject
async def list_sessions(user: CurrentUser, chat: Chat, flow_id: UUID | None = None) -> list[str]:
    """The sessions that have messages."""
    return list(await chat.sessions(user.id, flow_id))


@router.patch("/messages/session/{old_session_id:path}")
@inject
async def rename_session(
    old_session_id: SessionId,
    new_session_id: Annotated[str, Query(min_length=1)],
    user: CurrentUser,
    chat: Chat,
    session: Sessions,
    database: Database,
) -> list[MessageResponse]:
    """Give a session another name, to its messages and to its state alike."""
    async with database.transaction():
        await chat.rename_session(user.id, old_session_id, new_session_id)
        with suppress(SessionNotFoundError):
            await session.rename(user.id, old_session_id, new_session_id)
    messages = await _all_messages(chat, user.id, MessageOrder.OLDEST_FIRST, session_id=new_session_id)
    return [_response(message) for message in messages]


@router.delete("/messages/session/{session_id:path}", status_code=204)
@inject
async def delete_session(
    session_id: SessionId, user: CurrentUser, chat: Chat, session: Sessions, database: Database
) -> Response:
    """Delete a session with its messages."""
    async with database.transaction():
        await chat.delete_session(user.id, session_id)
        with suppress(SessionNotFoundError):
            await session.delete(user.id, session_id)
    return Response(status_code=204)


@router.get("/builds")
@inject
async def list_builds(flow_id: UUID, user: CurrentUser, session: Sessions) -> VertexBuildMap:
    """The kept builds of a flow, by vertex."""
    builds = await session.builds.list(user.id, flow_id)
    return VertexBuildMap(
        vertex_builds={
            vertex: [VertexBuildRead.model_validate(msgspec.structs.asdict(build)) for build in kept]
            for vertex, kept in builds.items()
        }
    )


@router.delete("/builds", status_code=204)
@inject
async def delete_builds(flow_id: UUID, user: CurrentUser, session: Sessions) -> Response:
    """Delete the builds of a flow."""
    await session.builds.delete(user.id, flow_id)
    return Response(status_code=204)


@router.get("/transactions")
@inject
async def list_transactions(
    flow_id: UUID,
    user: CurrentUser,
    session: Sessions,
    page: Annotated[int | None, Query(ge=1, le=MAX_PAGE)] = 1,
    size: Annotated[int | None, Query(ge=1, le=100)] = 50,
) -> Page[TransactionRead]:
    """One page of the kept transactions of a flow, newest first."""
    found = await session.builds.transactions(user.id, flow_id, page=page or 1, size=size or 50)
    items = [TransactionRead.model_validate(msgspec.structs.asdict(item)) for item in found.items]
    return Page(items=items, total=found.total, page=found.page, size=found.size, pages=found.pages)
