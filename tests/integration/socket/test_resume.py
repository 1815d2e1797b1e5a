"""Coming back after a break: what was missed, then what comes, each event once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from tests.integration.socket.conftest import Client, Sockets

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.chat import NewMessage
from bedplate.services.job_queue import JobEvent, JobLog
from bedplate.services.socket import Room, SocketService
from bedplate.wiring.testing.signals import Gate


def numbers(client: Client, event: str = "news") -> list[int]:
    return [data["number"] for data in client.all(event)]


async def test_a_client_gets_what_it_missed_and_then_what_comes(
    sockets: Sockets, service: SocketService, ann: User
) -> None:
    """SOCK-2: by join with the last event id, while the room goes on talking."""
    room = Room.session(ann.id, "s")
    first = await sockets.logged_in()
    await first.ok("join", room="session:s")
    for number in range(3):
        service.publish(room, "news", {"number": number})
    last = (await first.until("news", count=3))["event_id"]
    await first.close()
    for number in range(3, 6):
        service.publish(room, "news", {"number": number})
    second = await sockets.logged_in()
    joining = asyncio.create_task(second.ok("join", room="session:s", last_event_id=last))
    for number in range(6, 50):
        service.publish(room, "news", {"number": number})
        await asyncio.sleep(0)
    joined = await joining
    assert (joined["resync"], joined["last_event_id"]) == (False, last)
    await second.until("news", lambda data: data["number"] == 49)
    assert numbers(second) == list(range(3, 50))


async def test_rooms_are_entered_again_at_connect(sockets: Sockets, service: SocketService, ann: User) -> None:
    """SOCK-2: the user's own room too, in which the client would otherwise be before it could name an event."""
    first = await sockets.logged_in()
    await first.ok("join", room="session:s")
    for room in (Room.user(ann.id), Room.session(ann.id, "s")):
        service.publish(room, "news", {"number": 0})
    await first.until("news", count=2)
    last = {data["room"]: data["event_id"] for data in first.all("news")}
    await first.close()
    for room in (Room.user(ann.id), Room.session(ann.id, "s")):
        service.publish(room, "news", {"number": 1})
    second = await sockets.logged_in(resume={**last, "job:nonsense": "1", "flow:" + str(ann.id): None})
    rooms = (await second.until("resumed"))["rooms"]
    assert {name for name, joined in rooms.items() if "error" not in joined} == {"user", "session:s"}
    assert rooms["job:nonsense"]["error"]["code"] == "room_not_found"
    assert rooms[f"flow:{ann.id}"]["error"]["code"] == "flow_not_found"
    await second.until("news", count=2)
    service.publish(Room.user(ann.id), "news", {"number": 2})
    await second.until("news", count=3)
    assert sorted(numbers(second)) == [1, 1, 2]


async def test_several_rooms_at_once(sockets: Sockets, service: SocketService, ann: User) -> None:
    """SOCK-2: resume."""
    client = await sockets.logged_in()
    answer = await client.ok("resume", rooms={"session:a": None, "session:b": "bad", "nowhere": None})
    rooms = answer["rooms"]
    assert rooms["session:a"]["resync"] is False
    assert rooms["session:b"]["resync"] is True
    assert rooms["nowhere"]["error"]["code"] == "room_not_found"


async def test_a_job_is_read_on_from_any_event(sockets: Sockets, container: ApplicationContainer, ann: User) -> None:
    """SOCK-2: its log is what is told, while it runs and after."""
    gate = Gate()

    async def work(log: JobLog) -> None:
        for number in range(10):
            log.append("token", {"number": number})
        await gate.passes()
        for number in range(10, 20):
            log.append("token", {"number": number})

    job = await container.job_queue().submit(ann.id, work)
    await gate.reached.wait()
    first = await sockets.logged_in()
    await first.ok("join", f"job:{job.id}")
    await first.until("job_event", count=10)
    await first.close()
    gate.open()
    second = await sockets.logged_in()
    await second.ok("join", room=f"job:{job.id}", last_event_id="7")
    await second.until("job_event", lambda data: data["event"] == "end")
    assert [int(data["event_id"]) for data in second.all("job_event")] == list(range(8, 22))
    third = await sockets.logged_in(resume={f"job:{job.id}": 20})
    await third.until("job_event")
    assert [int(data["event_id"]) for data in third.all("job_event")] == [21]
    for nonsense in ("x-1", "-1", "1" * 19, 1.5):
        assert (await third.error("join", room=f"job:{job.id}", last_event_id=nonsense))["code"] == "payload"


async def test_a_log_that_cannot_be_read_on_is_said_to_be_so(
    sockets: Sockets, container: ApplicationContainer, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SOCK-2: the client is told to come back, and can."""

    async def work(log: JobLog) -> None:
        log.append("token", {"number": 0})

    jobs = container.job_queue()
    job = await jobs.submit(ann.id, work)
    read = jobs.events

    async def breaks(*args: Any, **fields: Any) -> AsyncIterator[JobEvent]:
        async with aclosing(read(*args, **fields)) as events:
            async for event in events:
                yield event
                raise OSError("no database")

    client = await sockets.logged_in()
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "events", breaks)
        await client.ok("join", f"job:{job.id}")
        assert (await client.until("resync"))["room"] == f"job:{job.id}"
    last = client.all("job_event")[-1]["event_id"]
    await client.ok("join", room=f"job:{job.id}", last_event_id=last)
    await client.until("job_event", lambda data: data["event"] == "end")
    assert [data["event_id"] for data in client.all("job_event")] == ["1", "2"]


async def test_a_room_joined_again_is_read_from_where_the_client_says(
    sockets: Sockets, service: SocketService, ann: User
) -> None:
    """SOCK-2: not twice at once."""
    client = await sockets.logged_in()
    start = (await client.ok("join", room="session:s"))["last_event_id"]
    service.publish(Room.session(ann.id, "s"), "news", {"number": 0})
    await client.until("news")
    await client.ok("join", room="session:s", last_event_id=start)
    service.publish(Room.session(ann.id, "s"), "news", {"number": 1})
    await client.until("news", lambda data: data["number"] == 1)
    assert numbers(client) == [0, 0, 1]


class TestForgotten:
    """Rooms that keep little, and not for long."""

    @pytest.fixture
    def socket_settings(self) -> dict[str, Any]:
        return {"history_events": 2, "history_ttl": 0.0}

    async def test_what_is_no_longer_kept_is_read_anew(
        self, sockets: Sockets, service: SocketService, container: ApplicationContainer, ann: User
    ) -> None:
        """SOCK-2: a client that cannot be told what it missed is told so, with the messages of the session."""
        stays, leaves = await sockets.logged_in(), await sockets.logged_in()
        await stays.ok("join", room="session:s")
        last = (await leaves.ok("join", room="session:s"))["last_event_id"]
        await leaves.close()
        for number in range(3):
            message = NewMessage(session_id="s", sender="User", sender_name="Ann", text=f"message {number}")
            await container.chat().append(ann.id, message)
        back = await sockets.logged_in()
        joined = await back.ok("join", room="session:s", last_event_id=last)
        assert joined["resync"] is True
        assert [message["text"] for message in joined["messages"]] == ["message 0", "message 1", "message 2"]
        service.publish(Room.session(ann.id, "s"), "news", {"number": 1})
        assert (await back.until("news"))["number"] == 1
        assert back.all("message") == []
        near = await sockets.logged_in()
        again = await near.ok("join", room="session:s", last_event_id=joined["last_event_id"])
        assert again["resync"] is False
        await near.until("news")

    async def test_a_room_that_was_left_begins_anew(self, sockets: Sockets, service: SocketService, ann: User) -> None:
        """SOCK-2: ids of the count before are not taken for those of the new one."""
        first = await sockets.logged_in()
        last = (await first.ok("join", room="session:s"))["last_event_id"]
        await first.ok("leave", room="session:s")
        second = await sockets.logged_in()
        joined = await second.ok("join", room="session:s", last_event_id=last)
        assert joined["resync"] is True
        assert joined["last_event_id"] != last
