"""Security events."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from bedplate.wiring import Auth, inject
from bedplate.wiring.http.security import CurrentPrincipal

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/auth/audit", tags=["System"])


@router.get("")
@inject
async def list_events(
    principal: CurrentPrincipal,
    auth: Auth,
    kind: Annotated[list[str] | None, Query(max_length=50)] = None,
    user_id: UUID | None = None,
    actor_id: UUID | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: str | None = None,
) -> Response:
    """Security events, latest first, for superusers; ``next_cursor`` asks for the next page."""
    page = await auth.audit.list(
        principal,
        kinds=kind or (),
        user_id=user_id,
        actor_id=actor_id,
        since=since,
        until=until,
        limit=limit,
        cursor=cursor,
    )
    return Response(msgspec.json.encode(page), media_type="application/json")
