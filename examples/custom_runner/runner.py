"""A runner that answers in upper case, whatever the flow; an engine such as LangGraph would stand here."""

from collections.abc import AsyncGenerator

from bedplate.services.session.runner import (
    FlowDocument,
    MessageProduced,
    OutputValue,
    RunContext,
    RunEvent,
    RunFinished,
    RunInputs,
    RunMessage,
    RunOutput,
    TokenStreamed,
    VertexFinished,
    VertexStarted,
    VerticesSorted,
)

__all__ = ["ShoutingRunner"]

_VERTEX = "Shout-1"


class ShoutingRunner:
    """Fulfils ``bedplate.services.session.runner.Runner``: it yields events, and imports no service.

    What the events mean for chat messages, the job's log, builds and traces is seen to by Bedplate.
    """

    async def run(self, flow: FlowDocument, inputs: RunInputs, context: RunContext) -> AsyncGenerator[RunEvent, None]:
        """Answer the input in upper case, word by word."""
        text = (inputs.input_value or "").upper()
        message = RunMessage(
            id=context.new_id(), session_id=context.session_id, text="", sender="Machine", sender_name="Shout"
        )
        yield VerticesSorted(ids=(_VERTEX,), to_run=(_VERTEX,))
        yield VertexStarted(vertex_id=_VERTEX, name="Shout", kind="llm", inputs={"text": inputs.input_value})
        yield MessageProduced(vertex_id=_VERTEX, message=message, partial=True)
        for word in text.split():
            yield TokenStreamed(vertex_id=_VERTEX, message_id=message.id, text=f"{word} ")
        whole = RunMessage(
            id=message.id, session_id=context.session_id, text=text, sender="Machine", sender_name="Shout"
        )
        yield MessageProduced(vertex_id=_VERTEX, message=whole)
        outputs = {"text": OutputValue(type="text", value=text)}
        yield VertexFinished(vertex_id=_VERTEX, valid=True, outputs=outputs)
        yield RunFinished(
            outputs=(
                RunOutput(
                    vertex_id=_VERTEX,
                    display_name="Shout",
                    component="Shout",
                    outputs=outputs,
                    artifacts={},
                    message=whole,
                ),
            )
        )
