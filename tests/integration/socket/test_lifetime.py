"""How long a connection lasts: tokens that expire, credentials that are revoked, a server that stops."""

import asyncio
import re
from typing import Any

import httpx
import pytest
import socketio.exceptions
from tests.integration.socket.conftest import Client, Sockets

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.session import Flow
from bedplate.services.socket import Room, SocketService


class TestExpiry:
    """Access tokens that are good for a moment."""

    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any]) -> dict[str, Any]:
        return container_settings | {"auth": {"access_token_ttl": 3.0}}

    async def test_a_connection_ends_with_its_token(self, sockets: Sockets, service: SocketService) -> None:
        """SOCK-2: the client is told before, and why when it ends."""
        client = await sockets.logged_in()
        told = await client.until("expiring")
        assert 0 < told["seconds"] <= 3
        closing = await client.until("closing")
        assert (closing["code"], closing["fix"]) == ("token_expired", "connect again with a new token")
        await client.until_disconnected()
        assert service.presence().connections == 0

    async def test_new_credentials_let_it_go_on(self, sockets: Sockets, service: SocketService) -> None:
        """SOCK-2: with a token the time begins anew, with a key there is none."""
        client = await sockets.logged_in()
        [connection] = service._hub
        first = connection.principal.expires_at
        assert first is not None
        http = await sockets.clients.logged_in("ann")
        token = http.headers["authorization"].removeprefix("Bearer ")
        answer = await client.ok("refresh", token=token)
        assert connection.principal.expires_at is not None
        assert connection.principal.expires_at >= first
        assert answer["expires_at"].startswith(connection.principal.expires_at.isoformat()[:19])
        key = (await http.post("/api/v1/api_key/", json={"name": "x"})).json()["api_key"]
        assert (await client.ok("refresh", api_key=key))["expires_at"] is None
        assert connection.timer is None


async def test_only_credentials_of_the_same_user_are_taken(sockets: Sockets, service: SocketService) -> None:
    """SOCK-2: and a refresh that fails changes nothing."""
    client = await sockets.logged_in()
    [connection] = service._hub
    before = connection.principal
    assert (await client.error("refresh", token=await sockets.token("bob")))["code"] == "other_user"
    assert (await client.error("refresh", token="forged"))["code"] == "invalid_token"
    assert (await client.error("refresh", api_key="sk-forged"))["code"] == "invalid_api_key"
    assert connection.principal is before
    await client.ok("join", room="user")


async def _logged_out(sockets: Sockets) -> Client:
    token = await sockets.token("ann")
    client = await sockets.client().connect({"token": token})
    assert await sockets.clients.container.auth().logout(token)
    return client


async def _deactivated(sockets: Sockets) -> Client:
    client = await sockets.logged_in()
    user = await sockets.clients.user("ann")
    superuser = await sockets.clients.superuser()
    assert (await superuser.patch(f"/api/v1/users/{user.id}", json={"is_active": False})).status_code == 200
    return client


async def _key_deleted(sockets: Sockets) -> Client:
    user = await sockets.clients.user("ann")
    keys = sockets.clients.container.auth().api_keys
    key = await keys.create(user.id)
    client = await sockets.client().connect({"api_key": key.secret.get_secret_value()})
    await keys.delete(user.id, key.key.id)
    return client


async def _key_switched_off(sockets: Sockets) -> Client:
    user = await sockets.clients.user("ann")
    keys = sockets.clients.container.auth().api_keys
    key = await keys.create(user.id)
    client = await sockets.client().connect({"api_key": key.secret.get_secret_value()})
    await keys.update(user.id, key.key.id, is_active=False)
    return client


REVOCATIONS = [_logged_out, _deactivated, _key_deleted, _key_switched_off]


@pytest.mark.parametrize("revoke", REVOCATIONS, ids=lambda revoke: revoke.__name__)
class TestRevocation:
    """Credentials that were good once, long before the next look at all of them."""

    @pytest.fixture
    def socket_settings(self) -> dict[str, Any]:
        return {"revalidate_interval": 3600.0}

    async def test_the_connection_ends(self, sockets: Sockets, service: SocketService, revoke: Any) -> None:
        """SOCK-2, AUTH-3: also for one that only listens; others are left alone."""
        other = await sockets.logged_in("bob")
        client = await revoke(sockets)
        assert (await client.until("closing"))["code"] == "revoked"
        await client.until_disconnected()
        assert service.presence().connections == 1
        await other.ok("join", room="user")

    @pytest.mark.parametrize("transport", ["websocket"])
    async def test_nothing_is_done_for_it_any_more(
        self, sockets: Sockets, service: SocketService, revoke: Any, echo: Flow, container: ApplicationContainer
    ) -> None:
        """SOCK-2, AUTH-3: at once, whenever the next look for it is."""
        client = await revoke(sockets)
        await client.sio.emit("run", {"flow_id": str(echo.id)})
        assert (await client.until("closing"))["code"] == "revoked"
        await client.until_disconnected()
        assert (await container.job_queue().list(echo.user_id)).items == ()


@pytest.mark.parametrize("transport", ["websocket"])
class TestRevalidation:
    """The look at credentials that nobody asks for."""

    @pytest.fixture
    def socket_settings(self) -> dict[str, Any]:
        return {"revalidate_interval": 0.05}

    async def test_it_happens_by_itself(self, sockets: Sockets, container: ApplicationContainer) -> None:
        """SOCK-2: and goes on after the database did not answer."""
        client = await _logged_out(sockets)
        assert (await client.until("closing"))["code"] == "revoked"

    async def test_a_database_that_fails_ends_no_connection(
        self, sockets: Sockets, container: ApplicationContainer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SOCK-2: who is good is not known then, and was a moment ago."""
        client = await sockets.logged_in()
        failed = asyncio.Event()

        async def fails(*_args: Any) -> Any:
            failed.set()
            raise OSError("no database")

        with monkeypatch.context() as patch:
            patch.setattr(container.auth(), "alive", fails)
            await failed.wait()
        await client.ok("join", room="user")


class TestDrain:
    """A server that stops."""

    async def test_clients_are_told_to_come_back(self, sockets: Sockets, service: SocketService, ann: User) -> None:
        """SOCK-2: with when; what was told before comes first, and the connection ends as one to be opened again."""
        clients = [await sockets.logged_in() for _ in range(3)]
        service.publish(Room.user(ann.id), "last", {})
        await service.drain()
        waits = set()
        for client in clients:
            closing = await client.until("closing")
            assert closing["code"] == "draining"
            waits.add(closing["retry_after"])
            assert [name for name, _ in client.heard if name in ("last", "closing")] == ["last", "closing"]
            # A client that the server has sent away for good would not come back by itself.
            assert await client.until_disconnected() == "transport error"
        assert all(1 <= wait <= 2 for wait in waits)
        assert len(waits) > 1

    @pytest.mark.parametrize("transport", ["polling"])
    async def test_nobody_comes_in_any_more(self, sockets: Sockets, service: SocketService) -> None:
        """SOCK-2: 503 with Retry-After, on both transports."""
        await service.drain()
        async with httpx.AsyncClient(base_url=sockets.url) as http:
            answer = await http.get("/socket.io/?EIO=4&transport=polling")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        with pytest.raises(socketio.exceptions.ConnectionError):
            await sockets.client("websocket").connect({"token": await sockets.token("ann")})

    async def test_a_service_that_stops_leaves_nobody_and_nothing(
        self, sockets: Sockets, service: SocketService, ann: User
    ) -> None:
        """SOCK-2: and serves again after another start."""
        client = await sockets.logged_in()
        await client.ok("join", room="session:s")
        before = {task.get_name() for task in asyncio.all_tasks()}
        assert "bedplate-socket-revalidation" in before
        await service.stop()
        assert (await client.until("closing"))["code"] == "draining"
        left = {task.get_name() for task in asyncio.all_tasks()}
        assert [name for name in left if name.startswith("bedplate-socket")] == []
        assert service.presence().connections == 0
        await service.start()
        again = await sockets.logged_in()
        await again.ok("join", room="session:s")


async def test_who_is_there_is_counted(sockets: Sockets, container: ApplicationContainer, ann: User) -> None:
    """SOCK-2: connections, users and rooms, at each scrape."""

    def gauges() -> dict[str, float]:
        text = container.telemetry().exposition().decode()
        found = re.findall(r'^bedplate_socket_(connections|users|rooms)(?:\{kind="(\w+)"\})? ([\d.]+)$', text, re.M)
        return {kind or name: float(value) for name, kind, value in found}

    first, second = await sockets.logged_in("ann"), await sockets.logged_in("ann")
    await sockets.logged_in("bob")
    await first.ok("join", room="session:s")
    await second.ok("join", room="session:s")
    assert container.socket().members(Room.session(ann.id, "s")) == 2
    expected = {"connections": 3, "users": 2, "user": 2, "session": 1, "flow": 0, "job": 0}
    assert gauges() == expected
    await first.ok("leave", room="session:s")
    await second.ok("leave", room="session:s")
    assert gauges() == expected | {"session": 0}
