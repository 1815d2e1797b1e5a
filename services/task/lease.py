"""The lease under which a process holds runs."""

import asyncio
import uuid
from datetime import timedelta

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import new_id, utc_now
from bedplate.services.database.repositories.instance import InstanceRepository

__all__ = ["Lease"]


class Lease:
    """A process's row among the instances, alive while it is renewed.

    Args:
        database: Where it is.
        ttl: Seconds for which it holds after each renewal.

    Attributes:
        instance_id: The identity of this process; a new one after the lease was lost.
    """

    def __init__(self, database: DatabaseService, ttl: float) -> None:
        self._database = database
        self._ttl = ttl
        self._good_until = 0.0
        self.instance_id: uuid.UUID = new_id()

    @property
    def expired(self) -> bool:
        """Whether it has not been renewed in time, so that others may take what it holds."""
        return asyncio.get_running_loop().time() >= self._good_until

    async def take(self) -> None:
        """Begin a lease under a new identity."""
        self.instance_id = new_id()
        asked = asyncio.get_running_loop().time()
        now = utc_now()
        async with self._database.transaction() as session:
            expires = now + timedelta(seconds=self._ttl)
            await InstanceRepository(session).insert_instance(self.instance_id, now, expires)
        self._good_until = asked + self._ttl

    async def renew(self) -> bool:
        """Renew it; False if another process has ended it."""
        asked = asyncio.get_running_loop().time()
        async with self._database.transaction() as session:
            expires = utc_now() + timedelta(seconds=self._ttl)
            held = await InstanceRepository(session).renew_lease(self.instance_id, expires)
        if held:
            self._good_until = asked + self._ttl
        return held

    async def give_up(self) -> None:
        """End it."""
        async with self._database.transaction() as session:
            await InstanceRepository(session).delete_instance(self.instance_id)
        self._good_until = 0.0
