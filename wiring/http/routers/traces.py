"""Runs and their spans."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Response

from bedplate.wiring import Tracing, inject
from bedplate.wiring.http.security import CurrentUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/monitor/traces", tags=["Traces"])


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


@router.get("")
@inject
async def list_traces(
    user: CurrentUser,
    tracing: Tracing,
    flow_id: UUID | None = None,
    session_id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> Response:
    """The caller's runs, latest first; ``next_cursor`` asks for the next page."""
    return _json(await tracing.runs(user.id, flow_id=flow_id, session_id=session_id, limit=limit, cursor=cursor))


@router.get("/{trace_id}")
@inject
async def read_trace(trace_id: UUID, user: CurrentUser, tracing: Tracing) -> Response:
    """A run with the tree of its spans."""
    return _json(await tracing.tree(user.id, trace_id))
