"""The results of frozen vertices, as one run reaches them."""

import functools
import hashlib
import uuid
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from bedplate.services.logs import get_logger
from bedplate.services.session.results import BuiltResults
from bedplate.services.session.runner import FlowDocument
from bedplate.services.shared_component_cache import Message

__all__ = ["BoundResults"]

_log = get_logger("bedplate.execution")
_MESSAGE, _VALUE = "message", "value"


class BoundResults:
    """Results on behalf of one run. What goes wrong with them costs the run a build, and no more.

    Args:
        results: Where they are kept.
        user_id: The owner of the run.
        flow_id: The flow.
        session_id: The session.
        document: What is run.
        secrets: The secrets that the run has used so far, which are never kept.
    """

    def __init__(
        self,
        results: BuiltResults,
        user_id: uuid.UUID,
        flow_id: uuid.UUID,
        session_id: str,
        *,
        document: FlowDocument,
        secrets: Collection[str],
    ) -> None:
        self._results = results
        self._place = (user_id, flow_id, session_id)
        self._document = document
        self._secrets = secrets

    async def get(self, vertex_id: str, digest: str) -> Mapping[str, Any] | None:
        """The outputs of a vertex by name; None if it has to be built."""
        try:
            kept = await self._results.get(*self._place, vertex_id, self._version(digest))
            return None if kept is None else {name: _opened(value) for name, value in kept.items()}
        except Exception as error:
            _log.warning("result of a frozen vertex was not read; it is built", error=type(error).__name__)
            return None

    async def put(self, vertex_id: str, digest: str, outputs: Mapping[str, Any]) -> None:
        """Keep the outputs of a vertex, if they are data without secrets."""
        try:
            closed = {name: _closed(value) for name, value in outputs.items()}
            if not self._tells_a_secret(closed):
                await self._results.put(*self._place, vertex_id, self._version(digest), closed)
        except Exception as error:
            _log.warning("result of a frozen vertex was not kept", error=type(error).__name__)

    def _version(self, digest: str) -> str:
        return f"{self._content}:{digest}"

    @functools.cached_property
    def _content(self) -> str:
        return hashlib.blake2b(msgspec.msgpack.encode(self._document), digest_size=16).hexdigest()

    def _tells_a_secret(self, outputs: Mapping[str, Any]) -> bool:
        texts = list(_texts(msgspec.to_builtins(outputs, enc_hook=str)))
        return any(secret in text for secret in self._secrets if secret for text in texts)


def _closed(value: Any) -> dict[str, Any]:
    """A value as it is kept: a message without its place in the conversation, in which it is announced anew."""
    if isinstance(value, Message):
        return {_MESSAGE: msgspec.to_builtins(msgspec.structs.replace(value, id=None, session_id=""))}
    return {_VALUE: value}


def _opened(kept: Mapping[str, Any]) -> Any:
    return msgspec.convert(kept[_MESSAGE], Message) if _MESSAGE in kept else kept[_VALUE]


def _texts(value: Any) -> "list[str]":
    """All texts in data, keys among them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _texts(part)]
    return []
