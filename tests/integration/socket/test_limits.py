"""Clients that send too much, too large, nonsense, or read nothing: told so, bounded, and no harm to anybody else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.integration.socket.conftest import PATIENCE, Client, Sockets, after

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.job_queue import JobLog
from bedplate.services.session import Flow
from bedplate.services.socket import Room, SocketService
from bedplate.wiring.testing.signals import Gate


class Raw:
    """A client that speaks the protocol itself, well or badly, and reads when it is told to."""

    def __init__(self, url: str, token: str, http: aiohttp.ClientSession) -> None:
        self._url = url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
        self._token = token
        self._http = http
        self.socket: aiohttp.ClientWebSocketResponse

    async def connect(self) -> "Raw":
        self.socket = await self._http.ws_connect(self._url, max_msg_size=0)
        assert (await self.read()).startswith("0")
        await self.send(f'40{{"token":"{self._token}"}}')
        assert (await self.read()).startswith("40")
        return self

    async def send(self, text: str) -> None:
        await self.socket.send_str(text)

    async def read(self) -> str:
        """The next text; empty when the server has ended the connection."""
        while True:
            async with asyncio.timeout(PATIENCE):
                message = await self.socket.receive()
            if message.data != "2":
                return message.data if message.type is aiohttp.WSMsgType.TEXT else ""
            await self.send("3")

    async def until(self, what: str) -> str:
        """Read until a packet with this text; fails at the end of the connection."""
        while what not in (text := await self.read()):
            assert text, f"the connection ended without {what!r}"
        return text

    async def until_closed(self) -> int | None:
        while await self.read():
            pass
        return self.socket.close_code


@pytest.fixture
def transport() -> str:
    return "websocket"


@pytest.fixture
async def raw(sockets: Sockets) -> AsyncIterator[Raw]:
    async with aiohttp.ClientSession() as http:
        yield Raw(sockets.url, await sockets.token("ann"), http)


async def works(client: Client) -> None:
    """Nobody has harmed this client."""
    assert (await client.ok("join", room="user"))["room"] == "user"


class TestEvents:
    """Events that are none."""

    @pytest.mark.parametrize("transport", ["websocket", "polling"])
    async def test_an_unknown_event(self, sockets: Sockets) -> None:
        """SOCK-1: answered by an error with the nearest that there is, or told by one where no answer was asked."""
        client = await sockets.logged_in()
        error = await client.error("get_vertice", "x")
        assert error == {
            "code": "unknown_event", "message": "there is no event 'get_vertice'", "fix": "send 'get_vertices'",
        }  # fmt: skip
        assert (await client.error("x" * 10_000))["code"] == "unknown_event"
        await client.sio.emit("nonsense", {"a": 1})
        assert (await client.until("error"))["code"] == "unknown_event"

    @pytest.mark.parametrize(
        ("event", "payload"),
        [
            ("join", None), ("join", {}), ("join", []), ("join", {"room": 7}), ("join", {"room": "user", "x": 1}),
            ("join", {"room": "user", "last_event_id": {}}), ("join", ("user", None, 1, 2)), ("run", {"flow_id": 7}),
            ("run", {"flow_id": "x", "kind": "walk"}), ("cancel", "no id"), ("resume", {"rooms": ["user"]}),
            ("get_vertices", {"flow_id": "no id"}), ("build_vertex", "x"), ("message", {"text": "to nobody"}),
            ("refresh", {}), ("run", {"flow_id": "x", "tweaks": 3}), ("job", "job"), ("leave", {"room": None}),
        ],
    )  # fmt: skip
    async def test_a_payload_that_is_none(self, sockets: Sockets, event: str, payload: Any) -> None:
        """SOCK-1: named by its place, never by its value, in the one shape of errors."""
        client = await sockets.logged_in()
        error = await client.error(event, payload if payload is not None else ())
        assert set(error) == {"code", "message", "fix"}
        assert error["code"] == ("unknown_event" if event == "job" else "payload")
        assert error["fix"]
        await works(client)

    async def test_the_text_of_a_foreign_error_stays_here(
        self, sockets: Sockets, monkeypatch: pytest.MonkeyPatch, echo: Flow, caplog: pytest.LogCaptureFixture
    ) -> None:
        """SOCK-1: prior art sent clients the text of whatever was raised."""

        async def fails(*_args: Any) -> None:
            raise ValueError("postgres://user:password@host")

        monkeypatch.setattr("bedplate.wiring.sockets.runs.Runs.get_vertices", fails)
        client = await sockets.logged_in()
        error = await client.error("get_vertices", str(echo.id))
        assert error == {"code": "internal", "message": "Internal server error", "fix": None}
        assert "an event failed" in caplog.text

    @pytest.mark.parametrize(
        "packet",
        [
            "42", "42{}", "42[]", "42[7]", '42{"a":1}', "42[[[[", '42["join"', "451-[]", '461-["x"]', "44{}",
            "42" + "[" * 100_000, "42999999999999999999999[]", '42["connect",{}]', '42/admin,["x"]', '41/admin,',
        ],
    )  # fmt: skip
    async def test_a_malformed_packet_harms_nobody(self, sockets: Sockets, raw: Raw, packet: str) -> None:
        """SOCK-1: the connection goes on, and so do the others."""
        client = await sockets.logged_in()
        await raw.connect()
        await raw.send(packet)
        await raw.send('421["join",{"room":"user"}]')
        assert '"ok":true' in await raw.until("431[")
        await works(client)

    @pytest.mark.parametrize(
        "packet", ["", "x", "b", "7", "\x1e", "4", "48[]", "49", "2" + "[" * 100_000, "4[[[", "bAAAA"]
    )
    async def test_what_is_no_packet_at_all_ends_the_connection(
        self, sockets: Sockets, raw: Raw, service: SocketService, packet: str
    ) -> None:
        """SOCK-1: with a code, and with nothing left behind; the library leaves a task and a session."""
        client = await sockets.logged_in()
        await raw.connect()
        await raw.send(packet)
        assert await raw.until_closed() == 1002
        await works(client)
        await after(service._door, "release", lambda: service.presence().connections == 1)

    async def test_attachments_are_refused(self, sockets: Sockets, raw: Raw) -> None:
        """SOCK-1: nothing takes any, and the library keeps as many as a client announces."""
        await raw.connect()
        await raw.send('4599999999-["join",{"_placeholder":true,"num":0}]')
        assert "malformed_packet" in await raw.until('42["error"')
        await raw.socket.send_bytes(b"\x00" * 1000)
        assert "malformed_packet" in await raw.until('42["error"')


class TestRates:
    """Clients that send more than they may."""

    @pytest.fixture
    def socket_settings(self) -> dict[str, Any]:
        return {
            "events_per_second": 1.0, "events_burst": 10, "max_refused": 20, "max_concurrent_events": 4,
            "max_event_bytes": 2048, "bytes_per_second": 1024, "bytes_burst": 8192,
        }  # fmt: skip

    async def test_a_client_that_floods_is_told_and_has_to_go(self, sockets: Sockets, raw: Raw) -> None:
        """SOCK-2: first refused, then disconnected; nobody else notices."""
        client = await sockets.logged_in("bob")
        await raw.connect()
        for number in range(100):
            await raw.send(f'42{number}["leave",{{"room":"user"}}]')
        refused = await raw.until("too_many_events")
        assert '"retry_after"' in refused
        assert '"code":"too_many_events"' in await raw.until('42["closing"')
        assert await raw.read() == "41"
        await raw.until_closed()
        await works(client)

    async def test_bytes_count_too(self, raw: Raw) -> None:
        """SOCK-2: a few large events are as many as many small ones."""
        await raw.connect()
        for number in range(1, 6):
            await raw.send(f'42{number}["leave",{{"room":"{"x" * 1900}"}}]')
        assert "BYTES_PER_SECOND" in await raw.until("too_many_events")

    async def test_an_event_over_the_limit_ends_the_connection(self, sockets: Sockets, raw: Raw) -> None:
        """SOCK-2: with the code for it (RFC 6455, 1009)."""
        client = await sockets.logged_in("bob")
        await raw.connect()
        await raw.send(f'421["leave",{{"room":"{"x" * 5000}"}}]')
        assert await raw.until_closed() == 1009
        await works(client)

    async def test_only_so_many_are_worked_on_at_once(
        self, sockets: Sockets, monkeypatch: pytest.MonkeyPatch, echo: Flow
    ) -> None:
        """SOCK-2: the library begins all of them."""
        gate, all_there, standing = Gate(), asyncio.Event(), 0

        async def stands(*_args: Any) -> dict[str, Any]:
            nonlocal standing
            standing += 1
            if standing == 4:
                all_there.set()
            await gate.passes()
            return {}

        monkeypatch.setattr("bedplate.wiring.sockets.runs.Runs.get_vertices", stands)
        client = await sockets.logged_in()
        waiting = [asyncio.create_task(client.call("get_vertices", str(echo.id))) for _ in range(4)]
        await all_there.wait()
        error = await client.error("get_vertices", str(echo.id))
        assert (error["code"], "MAX_CONCURRENT_EVENTS" in error["fix"]) == ("too_many_events", True)
        gate.open()
        assert all(answer["ok"] for answer in await asyncio.gather(*waiting))
        assert standing == 4


class TestRooms:
    """Rooms of one connection."""

    @pytest.fixture
    def socket_settings(self) -> dict[str, Any]:
        return {"max_rooms": 3}

    async def test_rooms_are_bounded(self, sockets: Sockets, echo: Flow, container: ApplicationContainer) -> None:
        """SOCK-2: and a run that could not be followed is not begun."""
        client = await sockets.logged_in()
        await client.ok("join", room="session:a")
        await client.ok("join", room="session:b")
        await client.ok("join", room="session:b")
        assert (await client.error("join", room="session:c"))["code"] == "too_many_rooms"
        assert (await client.error("run", flow_id=str(echo.id)))["code"] == "too_many_rooms"
        assert (await container.job_queue().list(echo.user_id)).items == ()
        await client.ok("leave", room="session:a")
        await client.ok("join", room="session:c")


class TestSlowClients:
    """Clients that do not read."""

    @pytest.fixture
    def socket_settings(self) -> dict[str, Any]:
        return {"outbox_events": 50, "outbox_bytes": 1024 * 1024, "history_events": 100, "send_timeout": 2.0}

    async def test_a_client_that_never_reads_costs_no_more_than_its_outbox(
        self, sockets: Sockets, raw: Raw, service: SocketService, ann: User
    ) -> None:
        """SOCK-2: others get every event at once; it is given up in the end."""
        others = await sockets.logged_in()
        await raw.connect()
        raw.socket._conn.transport.pause_reading()  # type: ignore[union-attr]
        transport: Any = service._transport
        link = next(connection.link for connection in service._hub if connection.id != others.sio.sid)
        blob = "x" * 50_000
        for number in range(300):
            service.publish(Room.user(ann.id), "blob", {"number": number, "blob": blob})
            await others.until("blob", lambda data, number=number: data["number"] == number)
            assert link.outbox.bytes <= 1024 * 1024
        await after(transport, "ended", lambda: len(transport.links) == 1)
        assert service.presence().connections == 1
        await works(others)

    async def test_a_client_that_reads_late_is_told_what_it_missed(
        self, sockets: Sockets, raw: Raw, service: SocketService, ann: User
    ) -> None:
        """SOCK-2: what is kept is told, in order; of what is not kept it is told that it missed something."""
        await raw.connect()
        raw.socket._conn.transport.pause_reading()  # type: ignore[union-attr]
        for number in range(400):
            service.publish(Room.user(ann.id), "news", {"number": number, "blob": "x" * 20_000})
            await asyncio.sleep(0)
        raw.socket._conn.transport.resume_reading()  # type: ignore[union-attr]
        numbers: list[int] = []
        while not (text := await raw.read()).startswith('42["resync"'):
            assert text
            if text.startswith('42["news"'):
                numbers.append(int(text.partition('"number":')[2].partition(",")[0]))
        assert numbers == list(range(len(numbers)))
        assert len(numbers) < 400
        assert f'-{400}"' in text
        service.publish(Room.user(ann.id), "news", {"number": 400})
        assert '"number":400' in await raw.until('42["news"')

    async def test_the_log_of_a_job_waits_for_its_reader(
        self, sockets: Sockets, raw: Raw, container: ApplicationContainer, ann: User
    ) -> None:
        """SOCK-2: nothing is dropped of what stands in a log, and the job does not wait."""

        async def work(log: JobLog) -> None:
            for number in range(500):
                log.append("token", {"number": number, "blob": "x" * 20_000})

        await raw.connect()
        job = await container.job_queue().submit(ann.id, work)
        await raw.send(f'421["join",{{"room":"job:{job.id}"}}]')
        await raw.until("431[")
        raw.socket._conn.transport.pause_reading()  # type: ignore[union-attr]
        last = [event async for event in container.job_queue().events(ann.id, job.id)][-1]
        raw.socket._conn.transport.resume_reading()  # type: ignore[union-attr]
        ids = []
        while not ids or ids[-1] != last.id:
            text = await raw.until('42["job_event"')
            ids.append(int(text.partition('"event_id":"')[2].partition('"')[0]))
        assert ids == list(range(1, 502))


class TestLargeEvents:
    """Events that are larger than what may wait for a client."""

    @pytest.fixture
    def socket_settings(self) -> dict[str, Any]:
        return {"outbox_bytes": 16 * 1024}

    @pytest.mark.parametrize("transport", ["websocket", "polling"])
    async def test_they_come_one_by_one(self, sockets: Sockets, container: ApplicationContainer, ann: User) -> None:
        """SOCK-2: of a log and of a room, with the others in their order."""

        async def work(log: JobLog) -> None:
            for number in range(10):
                log.append("token", {"number": number, "blob": "x" * (100_000 if number % 2 else 1)})

        client = await sockets.logged_in()
        job = await container.job_queue().submit(ann.id, work)
        await client.ok("join", f"job:{job.id}")
        await client.until("job_event", lambda data: data["event"] == "end")
        assert [int(data["event_id"]) for data in client.all("job_event")] == list(range(1, 12))
        for number in range(5):
            container.socket().publish(Room.user(ann.id), "blob", {"number": number, "blob": "x" * 50_000})
        await client.until("blob", lambda data: data["number"] == 4)
        assert [data["number"] for data in client.all("blob")] == [0, 1, 2, 3, 4]


class TestSlowClientsHaveToGo:
    """The other policy."""

    @pytest.fixture
    def socket_settings(self) -> dict[str, Any]:
        return {"outbox_events": 50, "slow_consumer": "disconnect"}

    async def test_a_slow_client_is_disconnected_with_a_reason(
        self, sockets: Sockets, raw: Raw, service: SocketService, ann: User
    ) -> None:
        """SOCK-2: by setting; what it had not read is dropped, so that the reason comes soon."""
        others = await sockets.logged_in()
        await raw.connect()
        raw.socket._conn.transport.pause_reading()  # type: ignore[union-attr]
        for number in range(200):
            service.publish(Room.user(ann.id), "blob", {"number": number, "blob": "x" * 50_000})
            await others.until("blob", lambda data, number=number: data["number"] == number)
        assert service.presence().connections == 1
        raw.socket._conn.transport.resume_reading()  # type: ignore[union-attr]
        assert '"code":"slow_consumer"' in await raw.until('42["closing"')
        await works(others)
