"""HTTP clients of an application in the test's own process, with and without credentials."""

from contextlib import AsyncExitStack

import httpx
from fastapi import FastAPI

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import Credentials, Principal, User
from bedplate.services.auth.errors import UserNotFoundError

__all__ = ["PASSWORD", "Clients"]

PASSWORD = "the password of every test user"  # noqa: S105 - it protects nothing
_SUPERUSER = "superuser"


class Clients:
    """Makes clients and the users behind them; all are closed with ``stack``.

    Args:
        app: The application, started.
        container: Its container.
        stack: Closes what is made.
    """

    def __init__(self, app: FastAPI, container: ApplicationContainer, stack: AsyncExitStack) -> None:
        self.app = app
        self.container = container
        self._stack = stack

    async def anonymous(self) -> httpx.AsyncClient:
        """A client without credentials."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return await self._stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://localhost")
        )

    async def user(self, username: str, *, superuser: bool = False) -> User:
        """The active user of this name; made if there is none."""
        users = self.container.auth().users
        try:
            return await users.named(username)
        except UserNotFoundError:
            if superuser:
                return await self.container.auth().create_superuser(username, PASSWORD)
        return await users.create(await self._principal(), username, PASSWORD)

    async def logged_in(self, username: str, *, superuser: bool = False) -> httpx.AsyncClient:
        """A client that sends a fresh access token of the user; the user is made if there is none."""
        await self.user(username, superuser=superuser)
        tokens = await self.container.auth().login(username, PASSWORD)
        client = await self.anonymous()
        client.headers["Authorization"] = f"Bearer {tokens.access_token}"
        return client

    async def superuser(self) -> httpx.AsyncClient:
        """A client with a token of a superuser."""
        return await self.logged_in(_SUPERUSER, superuser=True)

    async def with_key(self, username: str) -> httpx.AsyncClient:
        """A client that sends an API key of the user; the user is made if there is none."""
        owner = await self.user(username)
        key = await self.container.auth().api_keys.create(owner.id, name="test")
        client = await self.anonymous()
        client.headers["x-api-key"] = key.secret.get_secret_value()
        return client

    async def _principal(self) -> Principal:
        await self.user(_SUPERUSER, superuser=True)
        tokens = await self.container.auth().login(_SUPERUSER, PASSWORD)
        return await self.container.auth().verify(Credentials(bearer=tokens.access_token))
