"""What frozen vertices gave: kept from one run of a session to the next, so that they are built once."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from bedplate.services.cache import MISS, CacheNamespace, CacheValueTooLargeError, UncacheableError
from bedplate.services.logs import get_logger

__all__ = ["BuiltResults"]

_log = get_logger("bedplate.session")


class BuiltResults:
    """Results of vertices by user, flow, session and vertex, for as long as neither flow nor session changes.

    Args:
        cache: Where they are kept.
        ttl: Seconds for which they are kept; 0 keeps none.
    """

    def __init__(self, cache: CacheNamespace, ttl: float) -> None:
        self._cache = cache
        self._ttl = ttl

    async def get(
        self, user_id: uuid.UUID, flow_id: uuid.UUID, session_id: str, vertex_id: str, version: str
    ) -> dict[str, Any] | None:
        """The outputs of a vertex by name; None if they have to be built.

        Args:
            user_id: The owner.
            flow_id: The flow.
            session_id: The session.
            vertex_id: The vertex.
            version: What the result depends on beside these, such as a digest of the flow's content.
        """
        if not self._ttl:
            return None
        found = await self._cache.get(_key(user_id, flow_id, session_id, vertex_id, version))
        return None if found is MISS else found

    async def put(
        self,
        user_id: uuid.UUID,
        flow_id: uuid.UUID,
        session_id: str,
        vertex_id: str,
        version: str,
        outputs: Mapping[str, Any],
    ) -> bool:
        """Keep the outputs of a vertex, as :meth:`get` finds them; False where they are no data, or too large."""
        if not self._ttl:
            return False
        tags = (_flow_tag(user_id, flow_id), _session_tag(user_id, session_id))
        key = _key(user_id, flow_id, session_id, vertex_id, version)
        try:
            await self._cache.set(key, dict(outputs), self._ttl, tags=tags)
        except (UncacheableError, CacheValueTooLargeError):
            return False
        return True

    async def forget_flows(self, user_id: uuid.UUID, *flow_ids: uuid.UUID) -> None:
        """Forget all results of flows, whose content has changed."""
        for flow_id in flow_ids:
            await self._forget(_flow_tag(user_id, flow_id))

    async def forget_session(self, user_id: uuid.UUID, session_id: str) -> None:
        """Forget all results of a session, which is gone or has another name."""
        await self._forget(_session_tag(user_id, session_id))

    async def _forget(self, tag: str) -> None:
        try:
            await self._cache.invalidate(tag)
        except Exception as error:
            # What has changed is not found under its version either: this only makes room.
            _log.warning("results of frozen vertices were not forgotten", error=type(error).__name__)


def _key(user_id: uuid.UUID, flow_id: uuid.UUID, session_id: str, vertex_id: str, version: str) -> str:
    return f"{user_id.hex}:{flow_id.hex}:{_short(session_id)}:{_short(vertex_id)}:{version}"


def _flow_tag(user_id: uuid.UUID, flow_id: uuid.UUID) -> str:
    return f"flow:{user_id.hex}:{flow_id.hex}"


def _session_tag(user_id: uuid.UUID, session_id: str) -> str:
    return f"session:{user_id.hex}:{_short(session_id)}"


def _short(name: str) -> str:
    """A name that clients may have made of any characters, as some of few."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
