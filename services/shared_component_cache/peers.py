"""The other replicas, as the component types are concerned: what they are told, and what they have."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

__all__ = ["Peers", "Seen"]


class Seen(NamedTuple):
    """What the replicas have in common, as seen by one of them.

    Attributes:
        version: How often one of them has loaded its components anew.
        digests: The digest of the definitions of each replica that is alive, by its name.
    """

    version: int
    digests: Mapping[str, str]


class Peers(Protocol):
    """Tells replicas of each other. Each method raises an UnavailableError where it cannot be done now."""

    async def start(self, heard: Callable[[], None], discarded: Callable[[str, str | None], None]) -> None:
        """Begin to listen; what is called must not wait.

        Args:
            heard: Called when it is time to look at what the others did.
            discarded: Called with owner and key (None: all of the owner's) when another one has let go of live objects.
        """
        ...

    async def stop(self) -> None:
        """Listen no more, and be alive no more."""
        ...

    async def version(self) -> int:
        """How often a replica has loaded its components anew."""
        ...

    async def announce(self) -> int:
        """Tell all that this replica has loaded its components anew; the version that this makes."""
        ...

    async def note(self, digest: str) -> Seen:
        """Say that this replica is alive and what it has, and see what the others have."""
        ...

    async def discard(self, owner: str, key: str | None) -> None:
        """Tell all others to let go of live objects."""
        ...
