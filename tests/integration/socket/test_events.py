"""Events over real connections: what clients ask for, and what rooms are told."""

import asyncio
import uuid
from typing import Any

import pytest
from tests.integration.socket.conftest import Client, Sockets

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.chat import NewMessage
from bedplate.services.job_queue import JobLog
from bedplate.services.session import Flow, NewFlow
from bedplate.services.socket import Room, SocketService
from bedplate.wiring.testing.flows import Flow as FlowText
from bedplate.wiring.testing.signals import Gate


def diamond() -> FlowText:
    """One that two need, whom a last one needs."""
    return (
        FlowText()
        .node("in", "ChatInput")
        .node("left", "Prompt", template="left {text}", text="")
        .node("right", "Prompt", template="right {text}", text="")
        .node("out", "Prompt", template="{a} {b}", a="", b="")
        .edge("in", "message", "left", "text")
        .edge("in", "message", "right", "text")
        .edge("left", "prompt", "out", "a")
        .edge("right", "prompt", "out", "b")
    )


@pytest.fixture
async def wide(container: ApplicationContainer, ann: User) -> Flow:
    return await container.session().flows.create(ann.id, NewFlow(name="wide", data=diamond().data))


class TestRuns:
    """Flows, started and followed."""

    async def test_a_run_is_started_and_followed(self, sockets: Sockets, echo: Flow) -> None:
        """SOCK-1: the job's room is entered before its first event, and left after its last."""
        client = await sockets.logged_in()
        started = await client.ok("run", flow_id=str(echo.id), input_value="Hello", session_id="s")
        assert started["room"] == f"job:{started['job_id']}"
        await client.until("job_event", lambda data: data["event"] == "end")
        events = client.all("job_event")
        assert [event["event_id"] for event in events] == [str(number) for number in range(1, len(events) + 1)]
        assert {event["room"] for event in events} == {started["room"]}
        assert events[-1]["data"]["result"]["session_id"] == "s"
        assert (await client.ok("leave", room=started["room"]))["left"] is False

    async def test_every_event_of_a_job_is_that_of_its_log(
        self, sockets: Sockets, echo: Flow, container: ApplicationContainer, ann: User
    ) -> None:
        """SOCK-1: the room of a job tells its log, whoever started it and whenever the room is entered."""
        client = await sockets.logged_in()
        started = await client.ok("run", flow_id=str(echo.id), input_value="Hello", kind="build", join=False)
        assert "room" not in started
        job_id = uuid.UUID(started["job_id"])
        logged = [event async for event in container.job_queue().events(ann.id, job_id)]
        joined = await client.ok("join", f"job:{job_id}")
        assert joined["job"]["status"] == "succeeded"
        await client.until("job_event", count=len(logged))
        heard = [(data["event_id"], data["event"], data["data"]) for data in client.all("job_event")]
        assert heard == [(str(event.id), event.type, event.data) for event in logged]
        assert {event.type for event in logged} >= {"vertices_sorted", "end_vertex", "end"}

    async def test_what_is_said_is_answered_in_the_session(self, sockets: Sockets, echo: Flow) -> None:
        """SOCK-1: message; the room of the session is entered by saying something in it."""
        client = await sockets.logged_in()
        started = await client.ok("message", flow_id=str(echo.id), text="Hello", session_id="s")
        assert started["room"] == "session:s"
        message = await client.until("message", lambda data: data["sender"] == "Machine")
        assert (message["text"], message["session_id"], message["job_id"]) == ("Hello", "s", started["job_id"])
        again = await client.ok("message", flow_id=str(echo.id), text="Again", session_id="s")
        await client.until("message", lambda data: data["job_id"] == again["job_id"] and data["sender"] == "Machine")
        ids = [data["event_id"] for data in client.all("message")]
        assert len(set(ids)) == len(ids)
        assert client.all("job_event") == []

    async def test_other_clients_of_the_session_hear_it_too(self, sockets: Sockets, echo: Flow) -> None:
        """SOCK-1: rooms; what one client starts, and what comes over HTTP."""
        speaker, listener = await sockets.logged_in(), await sockets.logged_in()
        await listener.ok("join", room="session:s")
        await speaker.ok("message", flow_id=str(echo.id), text="Hello", session_id="s")
        assert (await listener.until("message"))["text"] == "Hello"
        http = await sockets.clients.with_key("ann")
        answer = await http.post(f"/api/v1/run/{echo.id}", json={"input_value": "By HTTP", "session_id": "s"})
        assert answer.status_code == 200
        assert (await listener.until("message", lambda data: data["text"] == "By HTTP"))["room"] == "session:s"

    async def test_the_user_hears_of_every_job(self, sockets: Sockets, echo: Flow) -> None:
        """SOCK-1: the user's own room is entered at connect."""
        listener = await sockets.logged_in()
        http = await sockets.clients.logged_in("ann")
        job_id = (await http.post(f"/api/v1/build/{echo.id}/flow", json={})).json()["job_id"]
        ended = await listener.until("job", lambda data: data["status"] == "succeeded")
        assert (ended["job_id"], ended["flow_id"], ended["room"]) == (job_id, str(echo.id), "user")
        # A job that is told to have ended can be read to its end.
        assert '"event":"end"' in (await http.get(f"/api/v1/build/{job_id}/events")).text

    async def test_a_failed_run_is_told(self, sockets: Sockets, container: ApplicationContainer, ann: User) -> None:
        """SOCK-1: the session hears why, in the shape of every error, and the message that is stored."""
        document = FlowText().node("in", "ChatInput").node("x", "NoSuchComponent").edge("in", "message", "x", "text")
        flow = await container.session().flows.create(ann.id, NewFlow(name="broken", data=document.data))
        client = await sockets.logged_in()
        started = await client.ok("message", flow_id=str(flow.id), text="Hello", session_id="s")
        error = await client.until("error")
        assert error["job_id"] == started["job_id"]
        assert {"code", "message", "fix"} <= set(error)
        shown = await client.until("message", lambda data: data["error"])
        assert shown["category"] == "error"
        assert shown["id"] in {str(message.id) for message in await container.chat().history(ann.id, "s")}

    async def test_a_run_is_cancelled(self, sockets: Sockets, container: ApplicationContainer, ann: User) -> None:
        """SOCK-1: and says so to all who follow it."""
        gate = Gate()

        async def work(log: JobLog) -> None:
            log.append("token", {"chunk": "a"})
            await gate.passes()

        client = await sockets.logged_in()
        job = await container.job_queue().submit(ann.id, work)
        await client.ok("join", room=f"job:{job.id}")
        await gate.reached.wait()
        assert await client.ok("cancel", job_id=str(job.id)) == {"job_id": str(job.id), "status": "cancelled"}
        await client.until("job_event", lambda data: data["event"] == "cancelled")
        assert (await client.ok("cancel", job_id=str(job.id)))["status"] == "cancelled"


class TestVertices:
    """The two handlers that the replaced system had, and never made reachable."""

    async def test_the_order_of_vertices(self, sockets: Sockets, wide: Flow) -> None:
        """SOCK-1: get_vertices answers vertices_order: layers, each of what needs layers before it only."""
        client = await sockets.logged_in()
        answer = await client.ok("get_vertices", str(wide.id))
        assert answer["ids"] == [["in"], ["left", "right"], ["out"]]
        assert await client.until("vertices_order") == answer

    async def test_the_graph_is_kept(self, sockets: Sockets, wide: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
        """SOCK-1: prior art did not await its cache, and so built every graph anew."""
        client = await sockets.logged_in()
        first = await client.ok("get_vertices", flow_id=str(wide.id))

        def parsed_again(*_args: Any) -> None:
            raise AssertionError("the graph was not kept")

        monkeypatch.setattr("bedplate.services.session.service.FlowDocument.parse", parsed_again)
        assert await client.ok("get_vertices", flow_id=str(wide.id)) == first

    async def test_a_vertex_is_built_with_what_it_needs(self, sockets: Sockets, wide: Flow) -> None:
        """SOCK-1: build_vertex answers vertex_build; prior art failed where no graph had been asked for before."""
        client = await sockets.logged_in()
        built = await client.ok("build_vertex", flow_id=str(wide.id), vertex_id="left", input_value="Hello")
        assert (built["id"], built["valid"]) == ("left", True)
        told = await client.until("vertex_build")
        assert told["data"]["results"]["prompt"]["text"] == "left Hello"
        assert set(told) == {"flow_id", "job_id", "id", "valid", "params", "data"}
        assert len(client.all("vertex_build")) == 1

    async def test_arguments_may_follow_one_another(self, sockets: Sockets, wide: Flow) -> None:
        """SOCK-1: as clients of the replaced system send them."""
        client = await sockets.logged_in()
        assert (await client.ok("build_vertex", (str(wide.id), "in")))["id"] == "in"

    async def test_who_watches_a_flow_sees_it_run(self, sockets: Sockets, wide: Flow) -> None:
        """SOCK-1: the room of a flow is told of order and vertices of every run, once each."""
        watcher = await sockets.logged_in()
        assert (await watcher.ok("join", room=f"flow:{wide.id}"))["room"] == f"flow:{wide.id}"
        started = await watcher.ok("run", flow_id=str(wide.id), input_value="Hello", join=False)
        await watcher.until("vertex_build", count=4)
        order = await watcher.until("vertices_order")
        assert order["ids"] == [["in"], ["left", "right"], ["out"]]
        assert order["job_id"] == started["job_id"]
        await watcher.ok("build_vertex", flow_id=str(wide.id), vertex_id="in")
        assert (await watcher.until("vertex_build", count=5))["room"] == f"flow:{wide.id}"
        assert len(watcher.all("vertex_build")) == 5

    async def test_a_vertex_that_is_not_there(self, sockets: Sockets, wide: Flow) -> None:
        """SOCK-1: an error with a code, where prior art sent the text of whatever was raised."""
        client = await sockets.logged_in()
        error = await client.error("build_vertex", flow_id=str(wide.id), vertex_id="nowhere")
        assert set(error) == {"code", "message", "fix"}
        assert (await client.error("get_vertices", str(uuid.uuid4())))["code"] == "flow_not_found"

    @pytest.mark.parametrize("transport", ["websocket"])  # a polling client is missed after ping_timeout only
    async def test_a_client_that_goes_takes_its_build_with_it(
        self, sockets: Sockets, container: ApplicationContainer, ann: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SOCK-1: nobody else follows it."""
        gate = Gate()

        async def stands(*_args: Any) -> list[Any]:
            await gate.passes()
            return []

        monkeypatch.setattr("bedplate.wiring.runs.conversation.Conversation.finish", stands)
        document = (
            FlowText().node("in", "ChatInput").node("out", "ChatOutput").edge("in", "message", "out", "input_value")
        )
        flow = await container.session().flows.create(ann.id, NewFlow(name="stands", data=document.data))
        watcher, client = await sockets.logged_in(), await sockets.logged_in()
        asked = asyncio.create_task(client.call("build_vertex", flow_id=str(flow.id), vertex_id="out"))
        await gate.reached.wait()
        asked.cancel()
        await client.close()
        assert (await watcher.until("job", lambda data: data["status"] == "cancelled"))["flow_id"] == str(flow.id)


class TestChat:
    """Messages that no run makes."""

    async def test_the_session_hears_of_messages(
        self, sockets: Sockets, container: ApplicationContainer, ann: User
    ) -> None:
        """SOCK-1: stored, changed, moved, deleted; by whatever way."""
        client = await sockets.logged_in()
        await client.ok("join", room="session:s")
        chat = container.chat()
        message = await chat.append(ann.id, NewMessage(session_id="s", sender="User", sender_name="Ann", text="Hello"))
        assert (await client.until("message"))["id"] == str(message.id)
        http = await sockets.clients.logged_in("ann")
        await http.put(f"/api/v1/monitor/messages/{message.id}", json={"text": "Changed"})
        assert (await client.until("message", lambda data: data["edit"]))["text"] == "Changed"
        await http.request("DELETE", "/api/v1/monitor/messages", json=[str(message.id)])
        assert (await client.until("messages_deleted"))["ids"] == [str(message.id)]
        await chat.append(ann.id, NewMessage(session_id="s", sender="User", sender_name="Ann", text="Again"))
        await chat.rename_session(ann.id, "s", "t")
        assert (await client.until("session_renamed"))["new_session_id"] == "t"

    async def test_an_app_tells_a_room(self, sockets: Sockets, service: SocketService, ann: User) -> None:
        """SOCK-1: publish, with what clients need to go on from there."""
        client = await sockets.logged_in()
        await client.ok("join", room="session:s")
        service.publish(Room.session(ann.id, "s"), "typing", {"who": "the model"})
        told = await client.until("typing")
        assert told["who"] == "the model"
        assert told["room"] == "session:s"
        service.publish(Room.user(ann.id), "nothing more", {})
        assert set(await client.until("nothing more")) == {"room", "event_id"}


class TestUpgrade:
    """Clients that begin with polling and go over to a WebSocket, as browsers do."""

    @pytest.mark.parametrize("transport", ["polling"])
    async def test_nothing_is_lost_on_the_way(self, sockets: Sockets, echo: Flow) -> None:
        """SOCK-1."""
        client: Client = sockets.client()
        token = await sockets.token("ann")
        await client.sio.connect(client.url, auth={"token": token}, transports=["polling", "websocket"])
        assert client.sio.transport() == "websocket"
        await client.ok("run", flow_id=str(echo.id), input_value="Hello")
        await client.until("job_event", lambda data: data["event"] == "end")
        assert [data["event_id"] for data in client.all("job_event")] == ["1", "2", "3"]
