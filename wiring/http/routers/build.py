"""Builds of flows: started as jobs, followed by their events, cancelled."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, HTTPException, Request, Response

from bedplate.services.job_queue import JobEvent, JobQueueService
from bedplate.services.job_queue.errors import JobNotFoundError
from bedplate.services.session.runner import RunInputs
from bedplate.wiring import JobQueue, Sessions, inject
from bedplate.wiring.execution import RunKind
from bedplate.wiring.http.execution import FlowExecution
from bedplate.wiring.http.schemas.runs import CancelFlowResponse, EventDelivery, FlowDataRequest, InputValueRequest
from bedplate.wiring.http.security import CurrentUser
from bedplate.wiring.http.streaming import NDJSON, event_response, last_event_id, ndjson_line, wants_sse

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/build", tags=["Chat"])

_STREAMS: dict[int | str, dict[str, Any]] = {200: {"content": {NDJSON: {}, "text/event-stream": {}}}}


@router.post("/{flow_id}/flow", responses=_STREAMS, response_model=None)
@inject
async def build_flow(
    request: Request,
    flow_id: UUID,
    user: CurrentUser,
    session: Sessions,
    jobs: JobQueue,
    execution: FlowExecution,
    inputs: Annotated[InputValueRequest | None, Body()] = None,
    data: Annotated[FlowDataRequest | None, Body()] = None,
    files: Annotated[list[str] | None, Body()] = None,
    stop_component_id: str | None = None,
    start_component_id: str | None = None,
    log_builds: bool = True,
    flow_name: str | None = None,  # noqa: ARG001 - the flow has a name
    event_delivery: EventDelivery = EventDelivery.POLLING,
) -> Response | dict[str, str]:
    """Build a flow: answers with its job, or with its events where delivery is direct."""
    flow = await session.flows.get(user.id, flow_id)
    given = inputs or InputValueRequest()
    job = await execution.start(
        user.id,
        flow,
        RunInputs(
            input_value=given.input_value,
            input_type="chat" if given.type in (None, "any") else given.type,
            components=tuple(given.components or ()),
            files=tuple(files or ()),
            output_type="debug",
            start_component_id=start_component_id,
            stop_component_id=stop_component_id,
        ),
        session_id=given.session or None,
        data=data.model_dump() if data else None,
        kind=RunKind.BUILD,
        log_builds=log_builds,
    )
    if event_delivery is not EventDelivery.DIRECT:
        return {"job_id": str(job.id)}
    events = cancelling_events(jobs, user.id, job.id)
    return event_response(events, sse=wants_sse(request), job_id=job.id)


@router.get("/{job_id}/events", responses=_STREAMS, response_model=None)
@inject
async def read_events(
    request: Request,
    job_id: str,
    user: CurrentUser,
    jobs: JobQueue,
    event_delivery: EventDelivery = EventDelivery.STREAMING,
) -> Response:
    """The events of a job: as a stream from any event on, or those that have come since the last poll."""
    job = await _own_job(jobs, user.id, job_id)
    after = last_event_id(request)
    if event_delivery is EventDelivery.POLLING:
        polled = await jobs.poll(user.id, job, after=after)
        return Response(b"".join(map(ndjson_line, polled)), media_type=NDJSON)
    return event_response(jobs.events(user.id, job, after=after or 0), sse=wants_sse(request), job_id=job)


@router.post("/{job_id}/cancel")
@inject
async def cancel_build(job_id: str, user: CurrentUser, jobs: JobQueue) -> CancelFlowResponse:
    """Cancel a job; one that has finished counts as cancelled."""
    await jobs.cancel(user.id, await _own_job(jobs, user.id, job_id))
    return CancelFlowResponse(success=True, message="Flow build cancelled successfully")


async def cancelling_events(jobs: JobQueueService, user_id: UUID, job_id: UUID) -> AsyncGenerator[JobEvent, None]:
    """The events of a job that nobody else follows: when its reader goes away, it is cancelled."""
    finished = False
    try:
        async with aclosing(jobs.events(user_id, job_id)) as events:
            async for event in events:
                finished = event.terminal
                yield event
    finally:
        if not finished:
            await jobs.cancel(user_id, job_id)


async def _own_job(jobs: JobQueueService, user_id: UUID, job_id: str) -> UUID:
    try:
        return (await jobs.get(user_id, UUID(job_id))).id
    except (ValueError, JobNotFoundError) as error:
        raise HTTPException(404, f"Job not found: Job queue not found for job_id: {job_id}") from error
