"""What a flow document says, as a short text: the same for documents that differ in layout only."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from bedplate.services.session.runner.errors import FlowTooLargeError, NotAFlowError

__all__ = ["content_digest"]

_NOTE: Final = "noteNode"
_NODE_CONTENT: Final = ("id", "type", "data")
_EDGE_CONTENT: Final = ("source", "target", "sourceHandle", "targetHandle", "data")


def content_digest(data: Mapping[str, Any], max_bytes: int) -> str:
    """A digest of the nodes and edges of a flow document, which is not changed.

    Positions, sizes, selection, the viewport and notes do not matter, nor does the order of keys; the order of nodes
    and edges does, since it is that of values and events.

    Args:
        data: The document; parts that have not the form of a flow are taken as they are.
        max_bytes: Most bytes of what is digested, as JSON.

    Returns:
        32 hexadecimal digits of BLAKE2b (RFC 7693).

    Raises:
        NotAFlowError: It cannot be written as JSON.
        FlowTooLargeError: It has more bytes.
    """
    content = (_content(data.get("nodes"), _NODE_CONTENT), _content(data.get("edges"), _EDGE_CONTENT))
    try:
        text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise NotAFlowError(f"the flow is not JSON: {error}", fix="send values that JSON has, less deep") from None
    if len(text) > max_bytes:
        raise FlowTooLargeError("bytes", len(text), max_bytes, "BEDPLATE_SESSION__MAX_FLOW_BYTES")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _content(parts: Any, keys: tuple[str, ...]) -> Any:
    """What the parts say by these keys."""
    if not isinstance(parts, list):
        return parts
    return [
        [part.get(key) for key in keys] if isinstance(part, dict) else part
        for part in parts
        if not (isinstance(part, dict) and part.get("type") == _NOTE)
    ]
