"""Webhooks: other systems start flows."""

from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from starlette.requests import ClientDisconnect

from bedplate.services.errors import InvalidInputError
from bedplate.services.session import Flow, FlowNotFoundError, SessionService
from bedplate.services.session.runner import RunInputs
from bedplate.services.session.validation import webhook_nodes
from bedplate.wiring import Sessions, inject
from bedplate.wiring.execution import RunKind
from bedplate.wiring.http.execution import FlowExecution
from bedplate.wiring.http.security import OptionalUser

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["Base"])


@router.post("/webhook/{flow_id_or_name}", status_code=202)
@inject
async def receive_webhook(
    request: Request,
    flow_id_or_name: str,
    caller: OptionalUser,
    session: Sessions,
    execution: FlowExecution,
    user_id: UUID | str | None = None,
) -> dict[str, str]:
    """Start a flow with the body as its payload, whatever that is: one's own, or by its id a public one.

    The run is its owner's, who can follow it by the id of the job.
    """
    flow = await _flow(session, caller.id if caller else None, flow_id_or_name, user_id)
    payload = await _payload(request)
    # What is not UTF-8 is no text that a flow could take; the rest of it still reaches the flow.
    text = payload.decode(errors="replace")
    inputs = RunInputs(
        input_value="",
        input_type="chat",
        output_type="chat",
        tweaks={node: {"data": text} for node in webhook_nodes(flow.data)},
    )
    job = await execution.start(flow.user_id, flow, inputs, kind=RunKind.RUN)
    return {"message": "Task started in the background", "status": "in progress", "job_id": str(job.id)}


async def _flow(session: SessionService, caller: UUID | None, name: str, user_id: UUID | str | None) -> Flow:
    try:
        flow = await session.flows.webhook(caller, name)
    except FlowNotFoundError:
        flow = None
    if flow is None or user_id not in (None, flow.user_id, str(flow.user_id)):
        raise HTTPException(404, f"Flow identifier {name} not found")
    return flow


async def _payload(request: Request) -> bytes:
    try:
        payload = await request.body()
    except ClientDisconnect:
        raise InvalidInputError("the payload ends early", service="session", fix="send it again") from None
    if not payload:
        raise InvalidInputError("Request body is empty", service="session", fix="send a payload, such as a JSON object")
    return payload
