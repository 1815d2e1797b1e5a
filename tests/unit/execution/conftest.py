"""A container whose flows talk to a local language model, a user with its key, and flows of the user."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer
from bedplate.services.database.models import UserRow
from bedplate.services.job_queue import JobEvent
from bedplate.services.session import Flow, NewFlow
from bedplate.wiring.execution import Execution
from bedplate.wiring.testing.flows import Flow as FlowText
from bedplate.wiring.testing.llm import LocalLLM

KEY = "sk-local-secret-key-0123456789"


@pytest.fixture(scope="session")
def llm_server() -> Iterator[LocalLLM]:
    with LocalLLM(key=KEY) as server:
        yield server


@pytest.fixture
def llm(llm_server: LocalLLM) -> Iterator[LocalLLM]:
    yield llm_server
    llm_server.reset()


@pytest.fixture
def container_settings(container_settings: dict[str, Any], llm: LocalLLM) -> dict[str, Any]:
    return container_settings | {
        "session": {"llm_base_url": llm.base_url, "llm_retries": 0},
        "job_queue": {"commit_interval": 0.01, "cancel_timeout": 5.0},
    }


@pytest.fixture
async def execution(container: ApplicationContainer) -> Execution:
    return Execution.of(container)


@pytest.fixture
async def owner(container: ApplicationContainer) -> uuid.UUID:
    owner = await _add_user(container, "ann")
    await container.variable().create(owner, "OPENAI_API_KEY", KEY)
    return owner


@pytest.fixture
async def stranger(container: ApplicationContainer) -> uuid.UUID:
    return await _add_user(container, "bob")


NewFlowOf = Callable[..., Awaitable[Flow]]


@pytest.fixture
def new_flow(container: ApplicationContainer, owner: uuid.UUID) -> NewFlowOf:
    async def make(document: FlowText) -> Flow:
        return await container.session().flows.create(owner, NewFlow(name="flow", data=document.data))

    return make


@pytest.fixture
async def echo(new_flow: NewFlowOf) -> Flow:
    """What is said comes back."""
    return await new_flow(
        FlowText().node("in", "ChatInput").node("out", "ChatOutput").edge("in", "message", "out", "input_value")
    )


@pytest.fixture
async def chatbot(new_flow: NewFlowOf) -> Flow:
    """A language model that knows what was said before."""
    return await new_flow(
        FlowText()
        .node("in", "ChatInput")
        .node("memory", "Memory")
        .node("prompt", "Prompt", template="{memory}")
        .node(
            "llm",
            "LanguageModelComponent",
            model_name="gpt-4o-mini",
            api_key={"type": "str", "value": "OPENAI_API_KEY", "load_from_db": True, "password": True},
        )
        .node("out", "ChatOutput")
        .edge("memory", "messages_text", "prompt", "memory")
        .edge("prompt", "prompt", "llm", "system_message")
        .edge("in", "message", "llm", "input_value")
        .edge("llm", "text_output", "out", "input_value")
    )


@pytest.fixture
def events_of(container: ApplicationContainer) -> Callable[..., AsyncIterator[JobEvent]]:
    def read(job: Any, after: int = 0) -> AsyncIterator[JobEvent]:
        return container.job_queue().events(job.user_id, job.id, after=after)

    return read


@pytest.fixture
def key() -> str:
    return KEY


async def _add_user(container: ApplicationContainer, name: str) -> uuid.UUID:
    row = UserRow(username=name, username_key=name, password_hash="-", is_active=True)
    async with container.database().transaction() as session:
        session.add(row)
    return row.id
