"""The service by itself: what it costs where it is not used, and that nothing is left of it."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.errors import InvalidInputError, UnavailableError
from bedplate.services.settings import SettingsService
from bedplate.services.socket import Room
from bedplate.wiring.deps import get_socket_service
from bedplate.wiring.testing.cancellation import cancel_at_every_await

_STARTS = """
import asyncio, sys
from bedplate.containers import ApplicationContainer
from bedplate.wiring.http import create_app


async def main():
    container = ApplicationContainer()
    app = create_app(container)
    async with app.router.lifespan_context(app):
        assert container.socket().started
        print(sorted(name for name in sys.modules if name.partition(".")[0] in ("socketio", "engineio")))


asyncio.run(main())
"""


def test_the_library_is_imported_with_the_first_client_alone(tmp_path: Path) -> None:
    """SOCK-1: a server that nobody has come to yet, and any command, do without it."""
    environment = {"BEDPLATE_PROFILE": "test", "BEDPLATE_DATA_DIR": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", _STARTS], capture_output=True, text=True, env=environment, timeout=100, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


async def test_the_getter_answers(container: ApplicationContainer) -> None:
    """SOCK-1: in the replaced system it raised, for its name was commented out."""
    assert get_socket_service() is container.socket()


async def test_telling_a_room_that_nobody_is_in_costs_nothing_and_harms_nothing(
    container: ApplicationContainer,
) -> None:
    """SOCK-1: nothing is even encoded."""
    service, room = container.socket(), Room.user(uuid.uuid4())
    service.publish(room, "news", {"x": object()})
    assert not service.wanted(room)
    await service._broker.enter(room)
    with pytest.raises(InvalidInputError):
        service.publish(room, "news", {"x": object()})


async def test_a_service_that_is_not_started_serves_nobody(tmp_path: Path) -> None:
    container = ApplicationContainer(settings=Singleton(SettingsService, profile="test", data_dir=tmp_path))
    service = container.socket()
    service.publish(Room.user(uuid.uuid4()), "news", {"x": 1})
    with pytest.raises(UnavailableError):
        await service({"type": "http", "headers": [], "query_string": b""}, None, None)


async def test_start_and_stop_may_be_cancelled_at_any_await(container: ApplicationContainer) -> None:
    """ALL-1: and started and stopped again after that."""
    service = container.socket()

    async def whole() -> None:
        await service.stop()
        await service.start()

    async def after(_cancelled: bool) -> None:
        await service.start()
        assert service.started
        assert (await service.health()).status == "up"

    assert await cancel_at_every_await(whole, after) > 0
