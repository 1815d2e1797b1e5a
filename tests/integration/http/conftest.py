"""Flows over HTTP: a local language model endpoint, and users with flows that call it."""

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bedplate.wiring.testing.llm import LocalLLM

_FLOWS = Path(__file__).parents[3] / "examples" / "flows"

Upload = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session")
def llm_server() -> Iterator[LocalLLM]:
    with LocalLLM() as llm:
        yield llm


@pytest.fixture
def llm(llm_server: LocalLLM) -> LocalLLM:
    llm_server.reset()
    return llm_server


@pytest.fixture
def container_settings(container_settings: dict[str, Any], llm: LocalLLM) -> dict[str, Any]:
    return container_settings | {
        "session": {"llm_base_url": llm.base_url, "llm_retry_delay": 0.0},
        "job_queue": {"poll_timeout": 5.0},
    }


@pytest.fixture
def upload(llm: LocalLLM) -> Upload:
    """Stores a flow of the examples, and the key that it calls the endpoint with."""

    async def upload(client: httpx.AsyncClient, name: str = "memory_chatbot", **fields: Any) -> dict[str, Any]:
        document = json.loads((_FLOWS / f"{name}.json").read_text(encoding="utf-8"))
        body = {"name": document["name"], "data": document["data"]} | fields
        variable = {"name": "OPENAI_API_KEY", "value": llm.key, "type": "Credential", "default_fields": []}
        await client.post("/api/v1/variables/", json=variable)
        answer = await client.post("/api/v1/flows/", json=body)
        assert answer.status_code == 201, answer.text
        flow: dict[str, Any] = answer.json()
        return flow

    return upload
