"""Sessions that flows are run in: which there are, what they do, and what people call them."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query

from bedplate.services.session import FlowSession
from bedplate.wiring import Sessions, inject
from bedplate.wiring.http.schemas.flow_sessions import FlowSessionRead, FlowSessionUpdate
from bedplate.wiring.http.security import CurrentUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/monitor/sessions", tags=["Monitor"])


def _read(session: FlowSession) -> FlowSessionRead:
    return FlowSessionRead.model_validate(msgspec.structs.asdict(session))


@router.get("")
@inject
async def list_flow_sessions(
    user: CurrentUser,
    session: Sessions,
    flow_id: UUID | None = None,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[FlowSessionRead]:
    """The caller's sessions that have not expired, the last active first."""
    found = await session.list(user.id, flow_id=flow_id, offset=offset, limit=limit)
    return [_read(one) for one in found]


@router.patch("/{flow_id}")
@inject
async def name_flow_session(
    flow_id: UUID, body: FlowSessionUpdate, user: CurrentUser, session: Sessions
) -> FlowSessionRead:
    """Set what people call a session; null takes the name away."""
    return _read(await session.label(user.id, flow_id, body.session_id, body.name))
