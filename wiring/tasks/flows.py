"""Flows as tasks: durable, put off, tried again, and followed by their progress."""

import uuid
from typing import Annotated, Any, Literal

from dependency_injector.wiring import Provide

from bedplate.containers import ApplicationContainer, inject
from bedplate.services.errors import RateLimitedError, UnavailableError
from bedplate.services.job_queue import JobEvent
from bedplate.services.session.runner import RunInputs
from bedplate.services.task import GiveUp, TaskContext, task
from bedplate.wiring.execution import Execution, FlowRunError, RunKind

__all__ = ["FLOW_TASK", "run_flow"]

FLOW_TASK = "bedplate.flow"

Container = Annotated[ApplicationContainer, Provide["<container>"]]


@task(FLOW_TASK, retry_on=(FlowRunError, UnavailableError, RateLimitedError))
@inject
async def run_flow(
    context: TaskContext,
    flow_id: uuid.UUID,
    container: Container,
    input_value: str | None = None,
    input_type: Literal["chat", "text", "any"] = "chat",
    output_type: Literal["chat", "text", "any", "debug"] = "chat",
    output_component: str = "",
    session_id: str | None = None,
    tweaks: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Run a flow of the task's owner to its end.

    A task that is begun anew, because its process died or the run failed, runs the flow from the beginning.

    Args:
        context: The task.
        flow_id: The flow.
        container: The services.
        input_value: What is asked.
        input_type: Which inputs are given it.
        output_type: Which outputs are wanted.
        output_component: The one output that is wanted; empty: all of the type.
        session_id: The session; None: one named after the flow.
        tweaks: Changes to the fields of components.

    Returns:
        ``job_id``, whose events are the run's, and what ``/run`` answers, secrets masked.
    """
    if context.user_id is None:
        raise GiveUp("a flow runs for its owner, and this task has none")
    if not (await container.auth().users.get(context.user_id)).is_active:
        raise GiveUp("the owner of the task is deactivated")
    execution = Execution.of(container)
    flow = await container.session().flows.get(context.user_id, flow_id)
    result = await execution.run(
        context.user_id,
        flow,
        RunInputs(
            input_value=input_value,
            input_type=input_type,
            output_type=output_type,
            output_component=output_component,
            tweaks=tweaks or {},
        ),
        session_id=session_id,
        kind=RunKind.BUILD,
        follow=_Follower(context).event,
    )
    return {"job_id": str(result.job.id), **result.response}


class _Follower:
    """Tells the progress of a run: how many of its vertices are built."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context
        self._total = 0
        self._built = 0

    def event(self, event: JobEvent) -> None:
        if event.type == "vertices_sorted":
            self._total = len(event.data["to_run"])
        elif event.type == "end_vertex":
            self._built += 1
        else:
            return
        fraction = self._built / self._total if self._total else None
        self._context.progress(fraction, f"{self._built} of {self._total} components")
