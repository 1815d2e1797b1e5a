"""Events over real connections: both transports, both ways."""

from typing import Any

from tests.integration.socket.conftest import Client, Sockets

from bedplate.services.auth import User
from bedplate.services.session import Flow
from bedplate.services.socket import Room, SocketService


async def test_a_run_is_started_and_followed(sockets: Sockets, echo: Flow) -> None:
    """SOCK-1: the job's room is entered before its first event, and left after its last."""
    client = await sockets.logged_in()
    started = await client.ok("run", flow_id=str(echo.id), input_value="Hello", session_id="s")
    assert started["room"] == f"job:{started['job_id']}"
    await client.until("job_event", lambda data: data["event"] == "end")
    events = client.all("job_event")
    assert [event["event_id"] for event in events] == [str(number) for number in range(1, len(events) + 1)]
    assert {event["room"] for event in events} == {started["room"]}
    assert events[-1]["data"]["result"]["session_id"] == "s"
