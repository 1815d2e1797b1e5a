"""Who comes in, by what, from where; and what the others are told."""

import asyncio
from typing import Any

import httpx
import pytest
import socketio.exceptions
from msgspec import structs
from tests.integration.socket.conftest import Client, Sockets

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import Credentials, Principal, User
from bedplate.services.socket import SocketService
from bedplate.wiring.testing.clients import PASSWORD
from bedplate.wiring.testing.signals import Gate

INVALID_TOKEN = {"code": "invalid_token", "message": "Could not validate credentials", "fix": None}


async def refused(client: Client, auth: Any = None, **headers: str) -> dict[str, Any]:
    """Why a client was not let in."""
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(auth, **headers)
    assert client.refused["message"] == client.refused["data"]["message"]
    data: dict[str, Any] = client.refused["data"]
    return data


async def key_of(sockets: Sockets, username: str) -> str:
    owner = await sockets.clients.user(username)
    created = await sockets.clients.container.auth().api_keys.create(owner.id)
    return created.secret.get_secret_value()


async def cookie_of(sockets: Sockets, username: str) -> str:
    await sockets.clients.user(username)
    cookie = await sockets.clients.container.auth().open_cookie_session(username, PASSWORD)
    return f"other=1; {cookie.name}={cookie.value.get_secret_value()}"


@pytest.mark.parametrize("how", ["auth token", "auth key", "bearer", "key header"])
async def test_tokens_and_keys_come_in(sockets: Sockets, service: SocketService, how: str) -> None:
    """SOCK-1, AUTH-7: by the payload of the client or by a header."""
    token, key = await sockets.token("ann"), await key_of(sockets, "ann")
    client = sockets.client()
    match how:
        case "auth token":
            await client.connect({"token": token})
        case "auth key":
            await client.connect({"api_key": key})
        case "bearer":
            await client.connect(Authorization=f"Bearer {token}")
        case "key header":
            await client.connect(**{"x-api-key": key})
    assert service.presence().connections == 1
    assert (await client.ok("join", room="user"))["room"] == "user"


async def test_the_cookie_comes_in_from_pages_of_the_server_alone(sockets: Sockets, service: SocketService) -> None:
    """SOCK-1, AUTH-7: a browser sends it for every page that asks."""
    cookie = await cookie_of(sockets, "ann")
    await sockets.client().connect(Cookie=cookie, Origin=sockets.url)
    await sockets.client().connect(Cookie=cookie, **{"Sec-Fetch-Site": "same-origin"})
    assert service.presence().connections == 2
    assert (await refused(sockets.client(), Cookie=cookie))["code"] == "origin_not_allowed"
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    assert (await refused(sockets.client(), Cookie=cookie, **cross_site))["code"] == "origin_not_allowed"


@pytest.mark.parametrize("transport", ["polling"])
async def test_pages_of_other_origins_get_nothing(sockets: Sockets) -> None:
    """SOCK-1: refused before anything else, whatever they send along; on both transports."""
    token = await sockets.token("ann")
    headers = {"Origin": "https://evil.example"}
    query = "/socket.io/?EIO=4&transport=polling"
    async with httpx.AsyncClient(base_url=sockets.url) as http:
        answer = await http.get(query, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:bedplate:error:origin_not_allowed"
    for transport in ("polling", "websocket"):
        with pytest.raises(socketio.exceptions.ConnectionError):
            await sockets.client(transport).connect({"token": token}, **headers)


@pytest.mark.parametrize("transport", ["polling"])
async def test_no_script_of_another_page_reads_an_answer(sockets: Sockets) -> None:
    """SOCK-1: the library serves JSONP, which no browser says an origin for."""
    async with httpx.AsyncClient(base_url=sockets.url) as http:
        answer = await http.get("/socket.io/?EIO=4&transport=polling&j=0")
    assert answer.status_code == 400
    assert "___eio" not in answer.text


class TestAllowedOrigins:
    """Origins of the CORS setting."""

    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any]) -> dict[str, Any]:
        return container_settings | {"server": {"cors_origins": ["https://app.example"]}}

    async def test_they_come_in(self, sockets: Sockets) -> None:
        """SOCK-1: as over HTTP."""
        client = sockets.client()
        await client.connect({"token": await sockets.token("ann")}, Origin="https://app.example")
        with pytest.raises(socketio.exceptions.ConnectionError):
            await sockets.client().connect({"token": await sockets.token("ann")}, Origin="https://evil.example")

    async def test_browsers_are_told_so_once(self, sockets: Sockets) -> None:
        """SOCK-1: two headers that say the same are an error for browsers."""
        async with httpx.AsyncClient(base_url=sockets.url) as http:
            answer = await http.get("/socket.io/?EIO=4&transport=polling", headers={"Origin": "https://app.example"})
        assert answer.headers.get_list("access-control-allow-origin") == ["https://app.example"]


class TestEveryOrigin:
    """A wildcard lets pages in that have a token, and never those that have the user's cookie."""

    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any]) -> dict[str, Any]:
        return container_settings | {"server": {"cors_origins": ["*"]}}

    async def test_cookies_are_not_for_every_origin(self, sockets: Sockets) -> None:
        """SOCK-1, AUTH-7."""
        anywhere = {"Origin": "https://anywhere.example"}
        await sockets.client().connect({"token": await sockets.token("ann")}, **anywhere)
        cookie = await cookie_of(sockets, "ann")
        assert (await refused(sockets.client(), Cookie=cookie, **anywhere))["code"] == "origin_not_allowed"


async def test_without_credentials_nobody_comes_in(sockets: Sockets, service: SocketService) -> None:
    """SOCK-1: prior art authenticated nobody."""
    assert (await refused(sockets.client()))["code"] == "missing_credentials"
    assert service.presence().connections == 0


async def test_unknown_and_disabled_users_read_the_same(sockets: Sockets) -> None:
    """SOCK-1, AUTH-5: a refusal tells nothing of who exists."""
    token, key = await sockets.token("leaver"), await key_of(sockets, "leaver")
    superuser = await sockets.clients.superuser()
    leaver = await sockets.clients.user("leaver")
    await superuser.patch(f"/api/v1/users/{leaver.id}", json={"is_active": False})
    assert await refused(sockets.client(), {"token": token}) == INVALID_TOKEN
    assert await refused(sockets.client(), {"token": "no token at all"}) == INVALID_TOKEN
    unknown = await refused(sockets.client(), {"api_key": f"sk-{'a' * 43}"})
    assert await refused(sockets.client(), {"api_key": key}) == unknown


@pytest.mark.parametrize(
    "auth", [{"token": 7}, {"api_key": ["sk"]}, ["token"], "token", 7, {"token": "", "resume": None}]
)
async def test_impossible_credentials_are_refused(sockets: Sockets, auth: Any) -> None:
    """SOCK-1: typed, whatever they are."""
    assert (await refused(sockets.client(), auth))["code"] in ("payload", "malformed_packet", "missing_credentials")


async def test_the_first_credentials_decide(sockets: Sockets) -> None:
    """AUTH-7: what the client says itself goes before headers, and a bad token is not made up for by a good key."""
    key = await key_of(sockets, "ann")
    assert await refused(sockets.client(), {"token": "bad"}, **{"x-api-key": key}) == INVALID_TOKEN
    await sockets.client().connect({"api_key": key}, Authorization="Bearer bad")


class TestLimits:
    """Connections of one user, and in all."""

    @pytest.fixture
    def socket_settings(self) -> dict[str, Any]:
        return {"max_connections": 3, "max_connections_per_user": 2, "connect_timeout": 0.2}

    async def test_connections_are_bounded(self, sockets: Sockets, service: SocketService) -> None:
        """SOCK-2: those over a limit are refused with a reason, and a place that is left is free."""
        ann, bob = await sockets.token("ann"), await sockets.token("bob")
        first = await sockets.client().connect({"token": ann})
        await sockets.client().connect({"token": ann})
        error = await refused(sockets.client(), {"token": ann})
        assert error["code"] == "too_many_connections"
        assert error["retry_after"] > 0
        assert "MAX_CONNECTIONS_PER_USER" in error["fix"]
        await sockets.client().connect({"token": bob})
        assert "MAX_CONNECTIONS " not in (await refused(sockets.client(), {"token": bob}))["fix"]
        await first.close()
        await sockets.client().connect({"token": ann})
        assert service.presence().connections == 3

    @pytest.mark.parametrize("transport", ["polling"])
    async def test_who_does_not_say_who_it_is_has_to_go(self, sockets: Sockets) -> None:
        """SOCK-2: a session without a user ends by itself, and there are not many of them."""
        query = "/socket.io/?EIO=4&transport=polling"
        async with httpx.AsyncClient(base_url=sockets.url) as http:
            opened = [await http.get(query) for _ in range(3)]
            over = await http.get(query)
            assert [answer.status_code for answer in opened] == [200, 200, 200]
            assert over.status_code == 429
            sid = opened[0].text.partition('"sid":"')[2].partition('"')[0]
            async with asyncio.timeout(10):
                while (await http.get(f"{query}&sid={sid}")).status_code == 200:
                    pass
            assert (await http.get(query)).status_code == 200


async def test_nothing_of_the_handshake_is_kept(sockets: Sockets, service: SocketService) -> None:
    """SOCK-1: prior art kept the environ of every connection, with all its headers."""
    token = await sockets.token("ann")
    await sockets.client().connect(Authorization=f"Bearer {token}")
    transport: Any = service._transport
    assert [environ for environ in transport._server.environ.values() if environ] == []
    [connection] = service._hub
    assert token not in repr(vars(connection))
    verified = await sockets.clients.container.auth().verify(Credentials(bearer=token))
    assert structs.replace(connection.principal, client=None) == verified


@pytest.mark.parametrize("transport", ["polling"])
async def test_a_client_that_goes_while_it_comes_in_leaves_nothing(
    sockets: Sockets, service: SocketService, container: ApplicationContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SOCK-1: the library would keep it for good, as connected."""
    auth, gate, verified = container.auth(), Gate(), asyncio.Event()
    verify = auth.verify

    async def slowly(credentials: Credentials) -> Principal:
        await gate.passes()
        verified.set()
        return await verify(credentials)

    token = await sockets.token("ann")
    monkeypatch.setattr(auth, "verify", slowly)
    async with httpx.AsyncClient(base_url=sockets.url) as http:
        address = "/socket.io/?EIO=4&transport=polling"
        opened = await http.get(address)
        address += "&sid=" + opened.text.partition('"sid":"')[2].partition('"')[0]
        coming = asyncio.create_task(http.post(address, content=f'40{{"token":"{token}"}}'))
        await gate.reached.wait()
        await http.post(address, content="1")
        gate.open()
        await coming
    transport: Any = service._transport
    assert verified.is_set()
    assert service.presence().connections == 0
    assert transport._server.environ == {}
    assert transport._server.manager.rooms == {}
    monkeypatch.undo()
    await sockets.client().connect({"token": token})


async def test_clients_cannot_call_what_the_server_calls(sockets: Sockets, service: SocketService, ann: User) -> None:
    """SOCK-1: the library lets a client call its handlers of connect and disconnect, by events of these names."""
    client = await sockets.logged_in()
    assert (await client.error("connect", {"token": "x"}))["code"] == "unknown_event"
    assert (await client.error("disconnect", "reason"))["code"] == "unknown_event"
    assert service.presence().connections == 1
    assert client.sio.connected
