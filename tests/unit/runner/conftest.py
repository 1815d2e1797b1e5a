"""Fixtures of the runner: a stage over the built-in components and those of a test, and a local language model."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from bedplate.wiring.testing.flows import Flow, Registry, Stage
from bedplate.wiring.testing.llm import LocalLLM


@pytest.fixture(scope="session")
def _llm() -> Iterator[LocalLLM]:
    with LocalLLM() as llm:
        yield llm


@pytest.fixture
def llm(_llm: LocalLLM) -> Iterator[LocalLLM]:
    yield _llm
    _llm.reset()


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
async def stage(registry: Registry, llm: LocalLLM) -> AsyncIterator[Stage]:
    async with httpx.AsyncClient() as http:
        yield Stage(registry, http, llm)


@pytest.fixture
def flow() -> Flow:
    return Flow()
