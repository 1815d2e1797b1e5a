"""The runner: a flow document in, events out. Nothing in this package imports a service."""

from bedplate.services.session.runner.component import (
    ComponentRegistry,
    ComponentType,
    LanguageModelEndpoint,
    Toolbox,
)
from bedplate.services.session.runner.document import FieldValue, FlowDocument, FlowEdge, FlowLimits, FlowNode
from bedplate.services.session.runner.events import (
    MessageProduced,
    OutputValue,
    RunEvent,
    RunFailed,
    RunFinished,
    RunMessage,
    RunOutput,
    TokenStreamed,
    TokenUsage,
    VertexFinished,
    VertexStarted,
    VerticesSorted,
)
from bedplate.services.session.runner.graph_runner import GraphRunner, RunLimits
from bedplate.services.session.runner.port import (
    HistoryQuery,
    HistoryReader,
    InputType,
    OutputType,
    RunContext,
    RunInputs,
    Runner,
    SecretReader,
)

__all__ = [
    "ComponentRegistry",
    "ComponentType",
    "FieldValue",
    "FlowDocument",
    "FlowEdge",
    "FlowLimits",
    "FlowNode",
    "GraphRunner",
    "HistoryQuery",
    "HistoryReader",
    "InputType",
    "LanguageModelEndpoint",
    "MessageProduced",
    "OutputType",
    "OutputValue",
    "RunContext",
    "RunEvent",
    "RunFailed",
    "RunFinished",
    "RunInputs",
    "RunLimits",
    "RunMessage",
    "RunOutput",
    "Runner",
    "SecretReader",
    "TokenStreamed",
    "TokenUsage",
    "Toolbox",
    "VertexFinished",
    "VertexStarted",
    "VerticesSorted",
]
