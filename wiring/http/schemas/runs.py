"""Bodies of builds and runs."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

__all__ = [
    "CancelFlowResponse",
    "EventDelivery",
    "FlowDataRequest",
    "InputValueRequest",
    "SimplifiedAPIRequest",
]


class EventDelivery(StrEnum):
    """How the events of a build reach its caller."""

    STREAMING = "streaming"
    DIRECT = "direct"
    POLLING = "polling"


class InputValueRequest(BaseModel):
    """What a run is given; what is misspelt is refused, as it would be without effect."""

    model_config = ConfigDict(extra="forbid")

    components: list[str] | None = []
    input_value: str | None = None
    session: str | None = None
    type: Literal["chat", "text", "any"] | None = "any"


class FlowDataRequest(BaseModel):
    """A graph to build instead of the stored one."""

    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    viewport: dict[str, Any] | None = None


class SimplifiedAPIRequest(BaseModel):
    """A run through the API."""

    input_value: str | None = None
    input_type: Literal["chat", "text", "any"] | None = "chat"
    output_type: Literal["chat", "text", "any", "debug"] | None = "chat"
    output_component: str | None = ""
    tweaks: dict[str, Any] | None = None
    session_id: str | None = None


class CancelFlowResponse(BaseModel):
    """Whether a job was cancelled."""

    success: bool
    message: str
