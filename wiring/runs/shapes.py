"""The data of events, as clients of the REST contract read it."""

import uuid
from collections.abc import Collection
from typing import Any

from bedplate.services.database.models import new_id, utc_now
from bedplate.services.session.runner import FlowDocument, OutputValue, RunFailed, RunMessage, VertexFinished

__all__ = ["build_data", "error_message", "message_data", "result_data", "vertex_layers"]


def message_data(message: RunMessage, flow_id: uuid.UUID) -> dict[str, Any]:
    """The data of ``add_message``."""
    return {
        "timestamp": message.timestamp.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "sender": message.sender,
        "sender_name": message.sender_name,
        "session_id": message.session_id,
        "text": message.text,
        "files": list(message.files),
        "error": message.error,
        "edit": False,
        "properties": dict(message.properties),
        "category": message.category,
        "content_blocks": list(message.content_blocks),
        "id": str(message.id),
        "flow_id": str(flow_id),
    }


def error_message(failed: RunFailed, session_id: str, component: str | None) -> RunMessage:
    """The chat message that tells of a failed run.

    Args:
        failed: Why it failed.
        session_id: The chat session.
        component: What people call the vertex that failed, if it was one.
    """
    reason = {
        "type": "error",
        "component": component,
        "field": None,
        "reason": failed.message,
        "solution": failed.fix,
        "traceback": None,
    }
    return RunMessage(
        id=new_id(),
        session_id=session_id,
        text=failed.message,
        sender="Machine",
        sender_name=component or "AI",
        category="error",
        error=True,
        properties={
            "text_color": "red",
            "background_color": "red",
            "edited": False,
            "source": {"id": failed.vertex_id, "display_name": component, "source": component},
            "icon": "error",
            "allow_markdown": False,
            "positive_feedback": None,
            "state": "complete",
            "targets": [],
        },
        content_blocks=({"title": "Error", "contents": [reason], "allow_markdown": True, "media_url": None},),
    )


def result_data(event: VertexFinished) -> dict[str, Any]:
    """What a build holds of the outputs of its vertex."""
    outputs = {name: {"message": output.value, "type": output.type} for name, output in event.outputs.items()}
    if not event.valid:
        outputs = {"output": {"message": {"errorMessage": event.error, "stackTrace": None}, "type": "error"}}
    return {
        "results": {name: _result(output) for name, output in event.outputs.items()},
        "outputs": outputs,
        "logs": {name: [] for name in outputs},
        "message": event.artifacts,
        "artifacts": event.artifacts,
        "timedelta": event.duration_ms / 1e3,
        "duration": _duration(event.duration_ms / 1e3),
        "used_frozen_result": event.reused,
    }


def build_data(event: VertexFinished) -> dict[str, Any]:
    """The ``build_data`` of ``end_vertex``."""
    return {
        "id": event.vertex_id,
        "inactivated_vertices": [],
        "next_vertices_ids": list(event.next_ids),
        "top_level_vertices": list(event.next_ids),
        "valid": event.valid,
        "params": event.params,
        "data": result_data(event),
        "timestamp": utc_now().isoformat(),
    }


def vertex_layers(document: FlowDocument, only: Collection[str] | None = None) -> list[list[str]]:
    """The vertices of a flow in layers: each needs only vertices of layers before its own.

    Args:
        document: The flow.
        only: Those that are of interest; None: all.
    """
    depth: dict[str, int] = {}
    needed: dict[str, list[str]] = {vertex: [] for vertex in document.order}
    for edge in document.edges:
        needed[edge.target].append(edge.source)
    layers: list[list[str]] = []
    for vertex in document.order:
        if only is not None and vertex not in only:
            continue
        depth[vertex] = 1 + max((depth[source] for source in needed[vertex] if source in depth), default=-1)
        if depth[vertex] == len(layers):
            layers.append([])
        layers[depth[vertex]].append(vertex)
    return layers


def _result(output: OutputValue) -> Any:
    return output.value if isinstance(output.value, dict) else {output.type: output.value}


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{round(seconds * 1e3)} ms"
    if seconds < 60:
        return f"{seconds:.1f} seconds"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} minutes, {rest} seconds"
