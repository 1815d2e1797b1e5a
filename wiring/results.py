"""What ``/run`` answers, as clients of the REST contract read it."""

import uuid
from collections.abc import Sequence
from typing import Any

from bedplate.services.session.runner import OutputValue, RunInputs, RunOutput
from bedplate.wiring.runs.shapes import message_data

__all__ = ["run_response"]


def run_response(
    session_id: str, flow_id: uuid.UUID, inputs: RunInputs, outputs: Sequence[RunOutput]
) -> dict[str, Any]:
    """The body of an answer to ``/run``: one set of inputs with what each reported vertex gave.

    Args:
        session_id: The session of the run.
        flow_id: The flow.
        inputs: What was asked.
        outputs: What the run gave.
    """
    results = [_result_data(output, flow_id) for output in outputs]
    return {
        "session_id": session_id,
        "outputs": [{"inputs": {"input_value": inputs.input_value or ""}, "outputs": results}],
    }


def _result_data(output: RunOutput, flow_id: uuid.UUID) -> dict[str, Any]:
    return {
        "results": {name: _result(output, value, flow_id) for name, value in output.outputs.items()},
        "artifacts": output.artifacts,
        "outputs": {name: _shown(value) for name, value in output.outputs.items()},
        "logs": {name: [] for name in output.outputs},
        "messages": _messages(output),
        "timedelta": None,
        "duration": None,
        "component_display_name": output.display_name,
        "component_id": output.vertex_id,
        "used_frozen_result": output.reused,
    }


def _result(output: RunOutput, value: OutputValue, flow_id: uuid.UUID) -> Any:
    if value.type not in ("message", "text"):
        return value.value
    if output.message is None:
        fields: dict[str, Any] = dict(value.value) if isinstance(value.value, dict) else {"text": value.value}
    else:
        fields = message_data(output.message, flow_id)
    return {
        "text_key": "text",
        "data": fields,
        "default_value": "",
        **{name: item for name, item in fields.items() if name != "id"},
    }


def _shown(value: OutputValue) -> dict[str, Any]:
    if value.type == "message":
        return {"message": value.value.get("text", ""), "type": "text"}
    return {"message": value.value, "type": value.type}


def _messages(output: RunOutput) -> list[dict[str, Any]]:
    message = output.message
    if message is None:
        return []
    return [
        {
            "message": message.text,
            "sender": message.sender,
            "sender_name": message.sender_name,
            "session_id": message.session_id,
            "stream_url": None,
            "component_id": output.vertex_id,
            "files": list(message.files),
            "type": "text",
        }
    ]
