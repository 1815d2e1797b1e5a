"""Tests of an app: a container of each test's own, services replaced by fakes, users with tokens.

The fixtures ``container``, ``client``, ``user`` and ``as_user`` come with the pytest plugin of the installed package.
"""

import httpx
from dependency_injector.providers import Object

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User


class FakeCache:
    """Counts in a dictionary."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    async def increment(self, key: str, by: int = 1) -> int:
        self.counts[key] = self.counts.get(key, 0) + by
        return self.counts[key]


async def test_a_service_is_replaced_for_as_long_as_a_block(container: ApplicationContainer) -> None:
    with container.cache.override(Object(FakeCache())):
        assert await container.cache().increment("visits") == 1
    assert not isinstance(container.cache(), FakeCache)


async def test_the_rest_api_knows_its_user(as_user: httpx.AsyncClient, user: User) -> None:
    answer = await as_user.get("/api/v1/users/whoami")
    assert answer.json()["id"] == str(user.id)


async def test_without_credentials_nothing_is_said(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/users/whoami")).status_code == httpx.codes.FORBIDDEN
