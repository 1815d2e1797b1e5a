"""The session service and the runner in the container."""

import ast
import logging
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import bedplate.services.session.runner
from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.session import SessionService
from bedplate.services.session.runner import (
    FlowDocument,
    GraphRunner,
    RunContext,
    RunEvent,
    RunFailed,
    RunFinished,
    RunInputs,
)
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.flows import Flow
from bedplate.wiring.testing.llm import Fault, LocalLLM


async def nothing(_: object) -> Any:
    return []


def context(key: str = "") -> RunContext:
    async def secret(_: str) -> SecretStr:
        return SecretStr(key)

    return RunContext(
        run_id=uuid.uuid4(),
        user_id=uuid.uuid4(),
        flow_id=uuid.uuid4(),
        session_id="s",
        history=nothing,
        secret=secret,
    )


def chat() -> FlowDocument:
    flow = Flow().node("in", "ChatInput").node("out", "ChatOutput")
    flow.node("llm", "LanguageModelComponent", api_key={"value": "KEY", "load_from_db": True, "type": "str"})
    flow.edge("in", "message", "llm", "input_value").edge("llm", "text_output", "out", "input_value")
    return FlowDocument.parse(flow.data)


async def test_the_default_runner_asks_the_operators_endpoint(tmp_path: Path) -> None:
    """SES-3: the container's runner calls language models where the settings say, by the process's components."""
    with LocalLLM() as llm:
        values = {"profile": "test", "data_dir": tmp_path, "session": {"llm_base_url": f"{llm.base_url}/"}}
        container = ApplicationContainer(settings=Singleton(SettingsService, **values))
        async with container.running():
            session = container.session()
            assert isinstance(session, SessionService)
            assert isinstance(container.runner(), GraphRunner)
            run = session.run(chat(), RunInputs(input_value="hi"), context(llm.key))
            events = [event async for event in run]
        assert isinstance(events[-1], RunFinished)
        (output,) = events[-1].outputs
        assert output.message is not None
        assert output.message.text == "You said: hi"


async def test_neither_key_nor_address_is_in_any_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """SES-3: at the most talkative level, nothing that is logged of a run names the endpoint or its key."""
    caplog.set_level(logging.DEBUG)
    with LocalLLM() as llm:
        values = {"profile": "test", "data_dir": tmp_path, "session": {"llm_base_url": llm.base_url}}
        container = ApplicationContainer(settings=Singleton(SettingsService, **values))
        async with container.running():
            for fault in (Fault(), Fault(status=401), Fault(malformed_after=1)):
                llm.script(fault)
                run = container.session().run(chat(), RunInputs(input_value="hi"), context(llm.key))
                assert isinstance([event async for event in run][-1], RunFinished | RunFailed)
            await container.http().client.get(llm.base_url.replace("127.0.0.1", "localhost") + "/models")
    ours = [record for record in caplog.records if record.name.startswith(("bedplate", "httpx", "httpcore"))]
    text = "\n".join(record.getMessage() for record in ours)
    assert "/models" in text
    for secret in (llm.key, "127.0.0.1", "/chat/completions"):
        assert secret not in text


class Mine:
    """A runner of an application's own."""

    async def run(self, flow: FlowDocument, inputs: RunInputs, context: RunContext) -> AsyncGenerator[RunEvent, None]:
        yield RunFinished(outputs=())


async def test_an_apps_own_runner_takes_the_place_of_the_default(tmp_path: Path) -> None:
    """SES-3: an application overrides the runner in the container, and the session service runs flows with it."""
    settings = Singleton(SettingsService, profile="test", data_dir=tmp_path)
    container = ApplicationContainer(settings=settings)
    with container.runner.override(Singleton(Mine)):
        async with container.running(container.session):
            run = container.session().run(chat(), RunInputs(), context())
            assert [event async for event in run] == [RunFinished(outputs=())]


def test_the_runner_imports_no_service() -> None:
    """SES-3: no module of the runner imports a service, directly."""
    allowed = ("bedplate.services.errors", "bedplate.services.logs", "bedplate.services.session.runner")
    modules = list(Path(str(bedplate.services.session.runner.__file__)).parent.glob("*.py"))
    assert len(modules) > 10
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            wrong = [name for name in names if name.startswith("bedplate") and not name.startswith(allowed)]
            assert not wrong, f"{path.name} imports {wrong}"
