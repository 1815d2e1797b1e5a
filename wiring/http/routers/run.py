"""Runs of flows through the API, with a key."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, HTTPException, Response
from fastapi.responses import JSONResponse

from bedplate.services.session import Flow, FlowNotFoundError, SessionService
from bedplate.services.session.runner import RunInputs
from bedplate.wiring import JobQueue, Sessions, inject
from bedplate.wiring.execution import RunKind
from bedplate.wiring.http.execution import FlowExecution
from bedplate.wiring.http.routers.build import cancelling_events
from bedplate.wiring.http.schemas.runs import SimplifiedAPIRequest
from bedplate.wiring.http.security import CurrentUserByKey
from bedplate.wiring.http.streaming import line_response

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["Base"])


@router.post("/run/{flow_id_or_name}", response_model=None)
@inject
async def run_flow(
    flow_id_or_name: str,
    user: CurrentUserByKey,
    session: Sessions,
    jobs: JobQueue,
    execution: FlowExecution,
    body: Annotated[SimplifiedAPIRequest | None, Body()] = None,
    stream: bool = False,
    user_id: UUID | str | None = None,
) -> Response:
    """Run a flow by id or endpoint name and answer what it gave, or its events as they come."""
    flow = await _own_flow(session, user.id, flow_id_or_name, user_id)
    sent = body or SimplifiedAPIRequest()
    inputs = RunInputs(
        input_value=sent.input_value,
        input_type=sent.input_type or "chat",
        output_type=sent.output_type or "chat",
        output_component=sent.output_component or "",
        tweaks=sent.tweaks or {},
    )
    if not stream:
        result = await execution.run(user.id, flow, inputs, session_id=sent.session_id or None)
        return JSONResponse(result.response)
    job = await execution.start(user.id, flow, inputs, session_id=sent.session_id or None, kind=RunKind.RUN)
    return line_response(cancelling_events(jobs, user.id, job.id), job_id=job.id)


async def _own_flow(session: SessionService, owner: UUID, name: str, user_id: UUID | str | None) -> Flow:
    """The caller's flow; asking for another user's reads as asking for none."""
    if user_id in (None, owner, str(owner)):
        try:
            return await session.flows.find(owner, name)
        except FlowNotFoundError:
            pass
    raise HTTPException(404, f"Flow identifier {name} not found")
