"""Connections that leave a server which is no primary any more."""

from typing import Any

from redis.exceptions import MasterDownError, ReadOnlyError

__all__ = ["leaving_replicas"]


def leaving_replicas(kind: type[Any]) -> type[Any]:
    """A kind of connection of redis-py that is made anew after an answer that only a replica gives.

    Behind one address, another server may have become the primary. Connections to the former one go on, if nobody ends
    them, and would take no write for ever.

    Args:
        kind: The kind that the URL asks for.
    """

    class Leaving(kind):  # type: ignore[misc]  # a base that is known at run time only
        demoted = False

        async def read_response(self, *args: Any, **options: Any) -> Any:
            try:
                return await super().read_response(*args, **options)
            except (ReadOnlyError, MasterDownError):
                self.demoted = True  # and not closed yet: answers to other commands may follow
                raise

        async def send_packed_command(self, *args: Any, **options: Any) -> None:
            if self.demoted:
                self.demoted = False
                await self.disconnect(nowait=True)  # sending connects
            await super().send_packed_command(*args, **options)

    return Leaving
