"""What the page of the service shows works as it stands there."""

import ast
import inspect
import re
import types
from pathlib import Path

import pytest
from tests.integration.socket.conftest import Sockets

from bedplate.containers import ApplicationContainer
from bedplate.services.session import Flow
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.wiring.sockets.endpoint import EVENTS

_PAGE = (Path(__file__).parents[3] / "docs" / "services" / "socket.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("transport", ["websocket"])
async def test_the_examples_work(
    sockets: Sockets, echo: Flow, container: ApplicationContainer, capsys: pytest.CaptureFixture[str]
) -> None:
    """SOCK-1: against a server of the test's own."""
    listener = await sockets.logged_in()
    await listener.ok("join", room="session:s")
    module = types.ModuleType("page")
    known = {"container": container, "access_token": await sockets.token("ann"), "flow_id": str(echo.id)}
    vars(module).update(known, user_id=echo.user_id)
    for block in re.finditer(r"```python\n(.*?)```", _PAGE, re.DOTALL):
        source = block[1].replace("http://127.0.0.1:7860", sockets.url)
        code = compile(source, "socket.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = types.FunctionType(code, vars(module))()
        if inspect.isawaitable(result):
            await result
    await listener.until("typing")
    await listener.until("message", lambda data: data["sender"] == "Machine")
    client = vars(module)["client"]
    await client.call("leave", {"room": "session:s"})  # everything before it has come
    assert "AI Hello" in capsys.readouterr().out
    await client.disconnect()


def test_every_event_and_setting_that_it_names_is_there() -> None:
    table = _PAGE.partition("## Events of clients")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(EVENTS)
    for name, event in EVENTS.items():
        [row] = re.findall(rf"^\| `{name}` \|(.*?)\|", table, re.MULTILINE)
        assert set(event.payload.__struct_fields__) <= set(re.findall(r"`(\w+)`", row)), name
    for setting in re.findall(r"`(?:BEDPLATE_SOCKET__)?([A-Z]+(?:_[A-Z]+)+)`", _PAGE):
        assert setting.lower() in SocketSettings.model_fields or setting.startswith("BEDPLATE_"), setting
