"""Runs of flows over the socket: started, followed, cancelled, and looked at vertex by vertex."""

import asyncio
from contextlib import aclosing
from typing import Any

from bedplate.containers import ApplicationContainer
from bedplate.services.job_queue import Job
from bedplate.services.session import Flow
from bedplate.services.session.runner import RunInputs
from bedplate.services.socket import Connection, Room
from bedplate.wiring.execution import Execution, FlowRunError, RunKind
from bedplate.wiring.runs.shapes import vertex_layers
from bedplate.wiring.sockets import payloads
from bedplate.wiring.sockets.rooms import Rooms

__all__ = ["Runs"]


class Runs:
    """What clients do with flows.

    Args:
        container: The services.
        rooms: Where clients hear of it.
    """

    def __init__(self, container: ApplicationContainer, rooms: Rooms) -> None:
        self._container = container
        self._rooms = rooms

    async def run(self, connection: Connection, payload: payloads.Run) -> dict[str, Any]:
        """Start a flow, and let the client follow its job from the first event on."""
        flow = await self._flow(connection, payload.flow_id)
        if payload.join:
            self._container.socket().require_place(connection)
        inputs = RunInputs(
            input_value=payload.input_value,
            input_type=payload.input_type,
            output_type="debug" if payload.kind == "build" else payload.output_type,
            output_component=payload.output_component,
            tweaks=payload.tweaks,
            files=payload.files,
            start_component_id=payload.start_component_id,
            stop_component_id=payload.stop_component_id,
        )
        job = await self._start(connection, flow, inputs, payload.session_id, RunKind(payload.kind))
        answer = _started(job)
        if payload.join:
            entered = await self._rooms.enter(connection, f"job:{job.id}", None)
            answer["room"] = entered["room"]
        return answer

    async def message(self, connection: Connection, payload: payloads.Say) -> dict[str, Any]:
        """Say something in a session; the client is let into its room first, so that it hears all of the answer."""
        flow = await self._flow(connection, payload.flow_id)
        address = f"session:{payload.session_id or flow.id}"
        if Room.parse(connection.user_id, address) not in connection.rooms:
            await self._rooms.enter(connection, address, None)
        inputs = RunInputs(input_value=payload.text, files=payload.files)
        return _started(await self._start(connection, flow, inputs, payload.session_id, RunKind.RUN)) | {
            "room": address
        }

    async def cancel(self, connection: Connection, payload: payloads.Cancel) -> dict[str, Any]:
        """Cancel a job and say how it ended."""
        job = await self._container.job_queue().cancel(connection.user_id, payload.job_id)
        return {"job_id": str(job.id), "status": job.status.value}

    async def get_vertices(self, connection: Connection, payload: payloads.GetVertices) -> dict[str, Any]:
        """Say in which order the vertices of a flow run: those of a layer need those of the layers before."""
        sessions = self._container.session()
        flow = await sessions.flows.get(connection.user_id, payload.flow_id)
        session = await sessions.open(connection.user_id, flow.id, str(flow.id))
        order = {"flow_id": str(flow.id), "ids": vertex_layers(await sessions.prepare(session, flow.data))}
        connection.send("vertices_order", order)
        return order

    async def build_vertex(self, connection: Connection, payload: payloads.BuildVertex) -> dict[str, Any]:
        """Build one vertex and what it needs, and say what it gave; the build ends when the client goes."""
        flow = await self._container.session().flows.get(connection.user_id, payload.flow_id)
        inputs = RunInputs(input_value=payload.input_value, output_type="debug", stop_component_id=payload.vertex_id)
        job = await self._start(connection, flow, inputs, payload.session_id, RunKind.BUILD)
        build = await self._build(job, payload.vertex_id)
        built = {"flow_id": str(flow.id), "job_id": str(job.id), "id": build["id"], "valid": build["valid"]}
        if Room.flow(connection.user_id, flow.id) not in connection.rooms:  # where it is told of every vertex
            connection.send("vertex_build", built | {"params": build["params"], "data": build["data"]})
        return built

    async def _build(self, job: Job, vertex_id: str) -> dict[str, Any]:
        jobs = self._container.job_queue()
        last: dict[str, Any] = {}
        try:
            async with aclosing(jobs.events(job.user_id, job.id)) as events:
                async for event in events:
                    last = event.data
                    if event.type == "end_vertex" and last["build_data"]["id"] == vertex_id:
                        build: dict[str, Any] = last["build_data"]
                        return build
        except asyncio.CancelledError:
            await jobs.cancel(job.user_id, job.id)
            raise
        text = last.get("message") or last.get("error") or "the vertex was not built"
        raise FlowRunError(job.id, last.get("code", "run_failed"), str(text))

    async def _flow(self, connection: Connection, name: str) -> Flow:
        return await self._container.session().flows.find(connection.user_id, name)

    async def _start(
        self, connection: Connection, flow: Flow, inputs: RunInputs, session_id: str | None, kind: RunKind
    ) -> Job:
        execution = Execution.of(self._container)
        return await execution.start(connection.user_id, flow, inputs, session_id=session_id, kind=kind)


def _started(job: Job) -> dict[str, Any]:
    return {"job_id": str(job.id), "flow_id": str(job.flow_id), "session_id": job.session_id}
