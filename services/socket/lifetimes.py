"""How long a connection may last: until its credentials expire, or are revoked."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Collection, Iterable

from bedplate.services.auth import AuthService, Credentials, Principal
from bedplate.services.auth.errors import TokenExpiredError
from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.connection import Connection
from bedplate.services.socket.errors import OtherUserError, RevokedError

__all__ = ["Lifetimes"]

_log = get_logger("bedplate.socket")


class Lifetimes:
    """Ends connections whose credentials are good no longer.

    Args:
        settings: How often credentials are looked at, and how long before their end clients are told.
        auth: Says whether credentials are good.
        connections: All that there are.
        end: Ends one, for a reason.
    """

    def __init__(
        self,
        settings: SocketSettings,
        auth: AuthService,
        connections: Iterable[Connection],
        end: Callable[[Connection, BedplateError], None],
    ) -> None:
        self._settings = settings
        self._auth = auth
        self._connections = connections
        self._end = end
        self._asked: set[uuid.UUID | None] = set()
        self._look = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look at credentials every ``revalidate_interval`` from now on, and whenever somebody says so."""
        self._task = asyncio.create_task(self._keep_revalidating(), name="bedplate-socket-revalidation")

    async def stop(self) -> None:
        """Look no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def begin(self, connection: Connection) -> None:
        """Have a connection end when its credentials expire."""
        if connection.timer is not None:
            connection.timer.cancel()
            connection.timer = None
        expires_at = connection.principal.expires_at
        if expires_at is not None:
            left = expires_at.timestamp() - time.time() - self._settings.expiry_warning
            loop = asyncio.get_running_loop()
            connection.timer = loop.call_later(max(0.0, left), self._expiring, connection, expires_at.timestamp())

    async def renew(self, connection: Connection, credentials: Credentials) -> Principal:
        """Go on with new credentials of the same user.

        Raises:
            AuthenticationError: They are not good.
            OtherUserError: They are another user's.
        """
        principal = await self._auth.verify(credentials)
        if principal.user.id != connection.user_id:
            raise OtherUserError
        connection.principal = principal
        if not connection.closed:
            self.begin(connection)
        return principal

    async def require(self, connection: Connection) -> None:
        """Raise, and end the connection, if its credentials have been revoked.

        Raises:
            RevokedError: They have.
        """
        if connection.principal.credential_id not in await self._auth.alive([connection.principal]):
            error = RevokedError()
            self._end(connection, error)
            raise error

    def look(self, user_id: uuid.UUID | None) -> None:
        """Look at the credentials of a user soon, or at everybody's."""
        self._asked.add(user_id)
        self._look.set()

    async def revalidate(self, users: Collection[uuid.UUID | None] = (None,)) -> None:
        """End the connections of these users whose credentials have been revoked; None among them: of everybody."""
        connections = [one for one in self._connections if None in users or one.user_id in users]
        if not connections:
            return
        checked = {connection: connection.principal for connection in connections}
        alive = await self._auth.alive(checked.values())
        for connection, principal in checked.items():
            # One that has got new credentials meanwhile is looked at the next time.
            if principal.credential_id not in alive and connection.principal is principal:
                self._end(connection, RevokedError())

    async def _keep_revalidating(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._settings.revalidate_interval
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._look.wait()
            self._look.clear()
            asked, self._asked = self._asked, set()
            if loop.time() >= due:
                asked.add(None)
                due = loop.time() + self._settings.revalidate_interval
            try:
                await self.revalidate(asked)
            except Exception as error:
                _log.warning("connections could not be checked", error=type(error).__name__)

    def _expiring(self, connection: Connection, expires_at: float) -> None:
        left = expires_at - time.time()
        if left <= 0:
            self._expired(connection)
            return
        connection.send("expiring", {"expires_at": connection.principal.expires_at, "seconds": round(left, 3)})
        connection.timer = asyncio.get_running_loop().call_later(left, self._expired, connection)

    def _expired(self, connection: Connection) -> None:
        self._end(connection, TokenExpiredError(fix="connect again with a new token"))
