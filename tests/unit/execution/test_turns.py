"""SES-4: runs of flows take turns in their sessions."""

import asyncio
import uuid
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer
from bedplate.services.session import Flow, SessionBusyError, SessionStatus
from bedplate.services.session.runner import RunInputs
from bedplate.wiring.execution import Execution, FlowRunError
from bedplate.wiring.testing.llm import LocalLLM


@pytest.fixture(params=["serial", "reject"])
def container_settings(container_settings: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    return container_settings | {"session": container_settings["session"] | {"run_policy": request.param}}


def _asked(text: str) -> RunInputs:
    return RunInputs(input_value=text)


async def test_runs_of_a_session_do_not_overlap(
    container: ApplicationContainer, execution: Execution, owner: uuid.UUID, chatbot: Flow, llm: LocalLLM
) -> None:
    """SES-4: one waits, or is refused; another session is not concerned."""
    serial = container.settings().values.session.run_policy == "serial"
    runs = [execution.run(owner, chatbot, _asked(str(number)), session_id="s") for number in range(3)]
    other = execution.run(owner, chatbot, _asked("x"), session_id="t")
    *results, fourth = await asyncio.gather(*runs, other, return_exceptions=True)
    assert not isinstance(fourth, BaseException)
    refused = [result for result in results if isinstance(result, BaseException)]
    assert len(refused) == (0 if serial else 2)
    for error in refused:
        assert isinstance(error, SessionBusyError) or (
            isinstance(error, FlowRunError) and error.reason == "session_busy"
        )
    texts = [message.text for message in await container.chat().history(owner, "s", without_errors=True)]
    assert len(texts) == (6 if serial else 2)
    if serial:  # each question is followed by its answer
        assert all(not texts[place].isdigit() for place in (1, 3, 5))
        assert all(texts[place].isdigit() for place in (0, 2, 4))
    session = await container.session().get(owner, chatbot.id, "s")
    assert (session.status, session.runs) == (SessionStatus.IDLE, 3 if serial else 1)


async def test_a_cancelled_run_frees_its_session(
    container: ApplicationContainer, execution: Execution, owner: uuid.UUID, echo: Flow
) -> None:
    """SES-4: also one that waits or has just begun."""
    job = await execution.start(owner, echo, _asked("a"), session_id="s")
    await container.job_queue().cancel(owner, job.id)
    result = await execution.run(owner, echo, _asked("b"), session_id="s")
    assert result.job.status == "succeeded"
