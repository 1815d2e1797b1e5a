"""A client of OpenAI-compatible chat completions: streamed, patient before the first token, strict after it."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import httpx
import msgspec
from pydantic import SecretStr

from bedplate.services.shared_component_cache.component_context import ChatEndpoint
from bedplate.services.shared_component_cache.components.chat_errors import (
    ChatInterruptedError,
    ChatProtocolError,
    ChatRateLimitedError,
    ChatRejectedError,
    ChatServerError,
    ChatTimeoutError,
    ChatUnauthorizedError,
    ChatUnreachableError,
)
from bedplate.services.shared_component_cache.components.sse import EventTooLargeError, events

__all__ = ["ChatClient", "ChatDelta", "ChatUsage"]

_DONE: Final = "[DONE]"
_RETRYABLE: Final = (ChatUnreachableError, ChatServerError, ChatRateLimitedError, ChatInterruptedError)
_LARGEST: Final = "BEDPLATE_SESSION__LLM_MAX_ANSWER_BYTES"


class ChatUsage(msgspec.Struct, frozen=True):
    """What the endpoint counted."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class ChatDelta(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an answer.

    Attributes:
        text: What was said; may be empty.
        model: The model that says it.
        usage: What was counted, once, near the end.
        finish_reason: Why the answer ended, with its last piece.
    """

    text: str = ""
    model: str | None = None
    usage: ChatUsage | None = None
    finish_reason: str | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    model: str | None = None
    usage: ChatUsage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class ChatClient:
    """Calls one endpoint on behalf of one node.

    Args:
        http: The pooled client of the process.
        endpoint: Where, and how patiently.
        key: The key, or None where the endpoint takes none.
        options: What the request says beside the messages: ``model``, ``temperature`` and so on.
    """

    def __init__(
        self, http: httpx.AsyncClient, endpoint: ChatEndpoint, key: SecretStr | None, options: Mapping[str, Any]
    ) -> None:
        self._http = http
        self._endpoint = endpoint
        self._key = key
        self._options = dict(options)
        self._timeout = httpx.Timeout(endpoint.read_timeout, connect=endpoint.connect_timeout)

    async def stream(self, messages: Sequence[Mapping[str, Any]]) -> AsyncGenerator[ChatDelta, None]:
        """The answer, piece by piece.

        A call that fails before its first text, for want of a connection or by 429 or 5xx, is tried again.

        Raises:
            BedplateError: One of those in ``chat_errors.py``.
        """
        attempt = 0
        while True:
            begun = False
            try:
                async with aclosing(self._attempt(messages)) as deltas:
                    async for delta in deltas:
                        begun = begun or bool(delta.text)
                        yield delta
                    return
            except _RETRYABLE as error:
                if begun or attempt >= self._endpoint.retries:
                    raise
                delay = self._delay(attempt, error)
            attempt += 1
            await asyncio.sleep(delay)

    def _delay(self, attempt: int, error: BaseException) -> float:
        """Seconds to wait: what the endpoint asks for, else longer each time, with jitter; never over the limit."""
        asked = error.retry_after if isinstance(error, ChatRateLimitedError) else None
        if asked is None:
            asked = self._endpoint.retry_delay * 2**attempt * random.uniform(0.5, 1)  # noqa: S311 - no secret
        return min(asked, self._endpoint.max_retry_delay)

    async def _attempt(self, messages: Sequence[Mapping[str, Any]]) -> AsyncGenerator[ChatDelta, None]:
        body = self._options | {
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        url = f"{self._endpoint.base_url}/chat/completions"
        answered = False
        try:
            async with self._http.stream(
                "POST", url, json=body, headers=self._headers(), timeout=self._timeout
            ) as response:
                answered = True
                self._check(response)
                async with aclosing(self._deltas(response)) as deltas:
                    async for delta in deltas:
                        yield delta
        except httpx.TimeoutException as error:
            raise self._timed_out(error) from None
        except (httpx.TransportError, httpx.InvalidURL):
            if answered:
                raise ChatInterruptedError from None
            raise ChatUnreachableError from None
        except httpx.DecodingError:
            raise ChatProtocolError("cannot be decompressed") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "text/event-stream"}
        if self._key is not None:
            key = self._key.get_secret_value().strip()
            if not (key.isascii() and key.isprintable()):
                raise ChatUnauthorizedError("the API key has characters that no header can hold")
            headers["Authorization"] = f"Bearer {key}"
        return headers

    def _timed_out(self, error: httpx.TimeoutException) -> ChatTimeoutError:
        if isinstance(error, httpx.ConnectTimeout):
            seconds, setting = self._endpoint.connect_timeout, "BEDPLATE_SESSION__LLM_CONNECT_TIMEOUT"
            return ChatTimeoutError("did not accept a connection", seconds, setting)
        return ChatTimeoutError("was silent", self._endpoint.read_timeout, "BEDPLATE_SESSION__LLM_READ_TIMEOUT")

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in (401, 403):
            raise ChatUnauthorizedError(f"the language model endpoint does not accept the API key (status {status})")
        if status == 429:
            raise ChatRateLimitedError(_seconds(response.headers.get("retry-after")))
        if status >= 500:
            raise ChatServerError(status)
        if status != 200:
            raise ChatRejectedError(str(self._options.get("model", "")), status)

    async def _deltas(self, response: httpx.Response) -> AsyncGenerator[ChatDelta, None]:
        limit, size, complete = self._endpoint.max_answer_bytes, 0, False
        try:
            async for text in _documents(response, limit):
                if text == _DONE:
                    return
                delta, finished = _delta(text)
                complete = complete or finished
                size += len(text)
                if size > limit:
                    raise EventTooLargeError
                yield delta
        except EventTooLargeError:
            raise ChatProtocolError(f"has more than {limit} bytes", fix=f"raise {_LARGEST}") from None
        except UnicodeDecodeError:
            raise ChatProtocolError("is not UTF-8") from None
        if not complete:
            raise ChatInterruptedError


async def _documents(response: httpx.Response, max_bytes: int) -> AsyncGenerator[str, None]:
    """The JSON documents of a response: those of a stream, or the one of an endpoint that does not stream."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        async with aclosing(events(response.aiter_bytes(), max_bytes)) as stream:
            async for text in stream:
                yield text
    elif kind == "application/json":
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > max_bytes:
                raise EventTooLargeError
        yield body.decode()
    else:
        raise ChatProtocolError("is neither an event stream nor JSON")


def _delta(text: str) -> tuple[ChatDelta, bool]:
    """The piece of an answer in a document, and whether the answer is complete with it."""
    try:
        chunk = _decode(text)
    except msgspec.MsgspecError:
        raise ChatProtocolError("holds a piece that is not of the API") from None
    if chunk.error is not None:
        raise ChatServerError
    said, reason = "", None
    for choice in chunk.choices[:1]:
        message = choice.delta or choice.message
        said = (message.content or "") if message else ""
        reason = choice.finish_reason
    return ChatDelta(text=said, model=chunk.model, usage=chunk.usage, finish_reason=reason), reason is not None


def _seconds(header: str | None) -> float | None:
    """The delay of a Retry-After header in seconds (RFC 9110, 10.2.3); None for a date, which clocks disagree on."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
