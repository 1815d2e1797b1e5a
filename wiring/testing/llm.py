"""A local language model endpoint for tests and demonstrations: OpenAI's chat completions, without a model behind.

What it answers follows from the messages alone, so that a test can see whether an earlier message reached it. It knows
one key, records every request, and fails on demand.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import msgspec
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bedplate.wiring.testing.server import LocalServer
from bedplate.wiring.testing.signals import Gate, Signal

__all__ = ["Answer", "ChatMessage", "Fault", "LocalLLM", "RecordedRequest", "answer_from_messages"]

_NAME: Final = re.compile(r"\bmy name is (\w+)", re.IGNORECASE)
_QUESTION: Final = re.compile(r"\bwhat(?: is|'s) my name\b", re.IGNORECASE)
_PIECE: Final = re.compile(r"\s*\S+|\s+")


class ChatMessage(msgspec.Struct, frozen=True):
    """One message of a request."""

    role: str
    content: str


Answer = Callable[[Sequence[ChatMessage]], str]
"""What the endpoint says to messages."""


def answer_from_messages(messages: Sequence[ChatMessage]) -> str:
    """The default answer: repeats what it is told, and knows the name of a user who told it in any message."""
    said = messages[-1].content if messages else ""
    if _QUESTION.search(said):
        for message in reversed(messages):
            if names := _NAME.findall(message.content):
                return f"Your name is {names[-1]}."
        return "I do not know your name."
    return f"You said: {said}"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """How one request goes wrong; several of these may be set.

    Attributes:
        status: Answer with this status, and an error as OpenAI writes it, the key in it.
        retry_after: The Retry-After header of that answer.
        hold: Wait at this gate before the first piece.
        hold_after: Wait at this gate after so many pieces, the gate being the second element.
        malformed_after: Send something else than JSON after so many pieces.
        end_after: End the answer after so many pieces, without a word.
        break_after: Break the connection after so many pieces.
        body: Answer with this body as an event stream.
        content_type: Answer with this content type.
    """

    status: int | None = None
    retry_after: str | None = None
    hold: Gate | None = None
    hold_after: tuple[int, Gate] | None = None
    malformed_after: int | None = None
    end_after: int | None = None
    break_after: int | None = None
    body: bytes | None = None
    content_type: str | None = None


class RecordedRequest(msgspec.Struct, kw_only=True):
    """A request as it came.

    Attributes:
        messages: The conversation.
        body: The whole body.
        authorized: Whether it had the right key.
        traceparent: The trace that the caller says it belongs to; None: it does not say.
        closed: The client has the answer, or has gone.
    """

    messages: tuple[ChatMessage, ...]
    body: dict[str, Any]
    authorized: bool
    traceparent: str | None = None
    closed: Signal = msgspec.field(default_factory=Signal)

    def said_by(self, role: str) -> str:
        """What the messages of a role say, line by line."""
        return "\n".join(message.content for message in self.messages if message.role == role)


class LocalLLM(LocalServer):
    """The endpoint.

    Args:
        key: The only key that it accepts.
        answer: What it says.
    """

    def __init__(self, *, key: str = "local-llm-key-0123456789", answer: Answer = answer_from_messages) -> None:
        self.key = key
        self.answer = answer
        self.requests: list[RecordedRequest] = []
        self._faults: deque[Fault] = deque()
        routes = [Route("/v1/chat/completions", self._complete, methods=["POST"]), Route("/v1/models", self._models)]
        super().__init__("local-llm", lambda: Starlette(routes=routes))

    @property
    def base_url(self) -> str:
        """What clients are set to."""
        return f"{self.origin}/v1"

    def script(self, *faults: Fault) -> None:
        """Make the next requests go wrong, one for each fault, in order; those after them go well."""
        self._faults.extend(faults)

    def reset(self) -> None:
        """Forget the requests and the faults."""
        self.requests.clear()
        self._faults.clear()
        self.answer = answer_from_messages

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "local", "object": "model"}]})

    async def _complete(self, request: Request) -> Response:
        body = orjson.loads(await request.body())
        recorded = RecordedRequest(
            messages=tuple(ChatMessage(message["role"], _text(message["content"])) for message in body["messages"]),
            body=body,
            authorized=request.headers.get("authorization") == f"Bearer {self.key}",
            traceparent=request.headers.get("traceparent"),
        )
        self.requests.append(recorded)
        fault = self._faults.popleft() if self._faults else Fault()
        if not recorded.authorized:
            fault = Fault(status=401)
        if fault.status is not None:
            recorded.closed.set()
            headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
            error = {"message": f"Incorrect API key provided: {self.key}", "type": "invalid_request_error"}
            return JSONResponse({"error": error}, fault.status, headers)
        if fault.body is not None:
            recorded.closed.set()
            return Response(fault.body, media_type=fault.content_type or "text/event-stream")
        text = self.answer(recorded.messages)
        if not body.get("stream") or fault.content_type == "application/json":
            recorded.closed.set()
            return JSONResponse(_whole(body, recorded.messages, text))
        return StreamingResponse(
            _watched(_stream(body, recorded.messages, text, fault), recorded.closed),
            media_type=fault.content_type or "text/event-stream",
        )


async def _watched(stream: AsyncIterator[bytes], closed: Signal) -> AsyncIterator[bytes]:
    try:
        async for piece in stream:
            yield piece
    finally:
        closed.set()


async def _stream(
    body: dict[str, Any], messages: Sequence[ChatMessage], text: str, fault: Fault
) -> AsyncIterator[bytes]:
    if fault.hold is not None:
        await fault.hold.passes()
    yield _event(_chunk(body, {"role": "assistant", "content": ""}))
    for count, piece in enumerate(_PIECE.findall(text)):
        if fault.hold_after is not None and fault.hold_after[0] == count:
            await fault.hold_after[1].passes()
        if count == fault.break_after:
            raise ConnectionAbortedError
        if count == fault.end_after:
            return
        if count == fault.malformed_after:
            yield b"data: {not json\n\n"
        yield _event(_chunk(body, {"content": piece}))
        await asyncio.sleep(0)
    yield _event(_chunk(body, {}, finish_reason="stop"))
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _event(_chunk(body, None) | {"usage": _usage(messages, text)})
    yield b"data: [DONE]\n\n"


def _text(content: str | list[dict[str, Any]]) -> str:
    """What a message says; an image in it is named by the beginning of its URL."""
    if isinstance(content, str):
        return content
    parts = [part["text"] if part["type"] == "text" else part["image_url"]["url"][:40] for part in content]
    return "\n".join(parts)


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _chunk(body: dict[str, Any], delta: dict[str, Any] | None, finish_reason: str | None = None) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    return {"id": "local", "object": "chat.completion.chunk", "model": body.get("model"), "choices": choices}


def _whole(body: dict[str, Any], messages: Sequence[ChatMessage], text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    document = {"id": "local", "object": "chat.completion", "model": body.get("model"), "choices": [choice]}
    return document | {"usage": _usage(messages, text)}


def _usage(messages: Sequence[ChatMessage], text: str) -> dict[str, int]:
    """Words, counted as tokens."""
    asked = sum(len(message.content.split()) for message in messages)
    said = len(text.split())
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
