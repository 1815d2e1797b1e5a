"""Doing what other replicas did: when one of them has loaded its components anew, so do all."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.shared_component_cache.peers import Peers

__all__ = ["Following"]

HEARTBEAT = 20.0
"""Seconds between two looks at the others, if nobody says that there is something to see, and all have the same."""

_SHORTEST_WAIT = 0.1
_LONGEST_WAIT = 5.0

_log = get_logger("bedplate.shared_component_cache")


class Following:
    """Keeps one replica with the others. What was said and not heard is seen at the next look.

    Args:
        peers: The others.
        reload: Loads the components of this replica anew.
        digest: The digest of its definitions.
        discarded: Called with owner and key when another one has let go of live objects.
    """

    def __init__(
        self,
        peers: Peers,
        reload: Callable[[], Awaitable[object]],
        digest: Callable[[], str],
        discarded: Callable[[str, str | None], None],
    ) -> None:
        self._peers = peers
        self._discarded = discarded
        self._reload = reload
        self._digest = digest
        self._seen = 0
        self._untold = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = None
        self._digests: Mapping[str, str] = {}

    async def begin(self) -> None:
        """Note what the others have done until now: call it before the components are loaded."""
        self._wake = asyncio.Event()
        await self._peers.start(self._wake.set, self._discarded)
        self._seen = await self._peers.version()

    def start(self) -> None:
        """Follow the others from now on."""
        self._wake.set()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="bedplate-components-following")

    async def stop(self) -> None:
        """Follow them no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._peers.stop()

    def changed(self) -> None:
        """The components of this replica were loaded anew, because somebody asked it to: let all others do the same."""
        self._untold = True
        self._wake.set()

    async def discard(self, owner: str, key: str | None) -> None:
        """Let the others let go of live objects too; a replica that does not hear of it keeps its own."""
        try:
            await self._peers.discard(owner, key)
        except BedplateError as error:
            _log.warning("the other replicas were not told to let go of live objects", error=error)

    def trouble(self) -> str | None:
        """Why the replicas may not have the same, if that is so."""
        if self._trouble is not None:
            return self._trouble
        if len(set(self._digests.values())) > 1:
            return f"{len(self._digests)} replicas have {len(set(self._digests.values()))} different sets of components"
        return None

    async def _run(self) -> None:
        wait = pause = _SHORTEST_WAIT
        while True:
            try:
                # Whoever differs may be loading just now, and says nothing when it has done so.
                async with asyncio.timeout(HEARTBEAT if self.trouble() is None else pause):
                    await self._wake.wait()
                pause = _SHORTEST_WAIT
            except TimeoutError:
                pause = min(2 * pause, HEARTBEAT)
            self._wake.clear()
            try:
                await self._look()
            except BedplateError as error:
                if self._trouble is None:
                    _log.warning("the other replicas cannot be followed; trying again", error=error)
                self._trouble = str(error)
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
                self._wake.set()
            else:
                self._trouble, wait = None, _SHORTEST_WAIT

    async def _look(self) -> None:
        if self._untold:
            version = await self._peers.announce()
            self._untold = False
            if version == self._seen + 1:  # else another one has announced something meanwhile
                self._seen = version
        seen = await self._peers.note(self._digest())
        if seen.version != self._seen:
            await self._reload()
            self._seen = seen.version
            seen = await self._peers.note(self._digest())
        self._digests = seen.digests
