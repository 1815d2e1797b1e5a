"""Bodies of tasks."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bedplate.services.task import TaskRun, TaskStatus

__all__ = ["FlowTaskCreate", "TaskProgressRead", "TaskRead", "TaskRunPage"]


class FlowTaskCreate(BaseModel):
    """A flow to run in the background, and when."""

    model_config = ConfigDict(extra="forbid")

    flow_id: UUID
    input_value: str | None = None
    input_type: Literal["chat", "text", "any"] = "chat"
    output_type: Literal["chat", "text", "any", "debug"] = "chat"
    output_component: str = ""
    session_id: str | None = None
    tweaks: dict[str, Any] | None = None
    delay: Annotated[float, Field(ge=0)] | None = None
    at: AwareDatetime | None = None
    key: str | None = None
    timeout: Annotated[float, Field(gt=0, le=24 * 3600)] | None = None
    max_attempts: Annotated[int, Field(ge=1, le=10)] | None = None


class TaskProgressRead(BaseModel):
    """How far a task says it is."""

    fraction: float | None
    message: str | None
    data: dict[str, Any]


class TaskRead(BaseModel):
    """A task; why it failed, but not where: that is for the operator."""

    id: UUID
    name: str
    status: TaskStatus
    arguments: dict[str, Any]
    run_at: datetime
    attempt: int
    failures: int
    max_attempts: int
    cancel_requested: bool
    progress: TaskProgressRead | None
    result: Any
    error: str | None
    error_code: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, run: TaskRun, arguments: dict[str, Any]) -> Self:
        """The body of a run, with the arguments as they may be shown."""
        shown = {name: getattr(run, name) for name in cls.model_fields if name not in ("arguments", "progress")}
        told = None if run.progress is None else TaskProgressRead(**msgspec.structs.asdict(run.progress))
        return cls(**shown, arguments=arguments, progress=told)


class TaskRunPage(BaseModel):
    """Some tasks, newest first; ``next_cursor`` asks for the next page."""

    items: list[TaskRead]
    next_cursor: str | None
