"""The HTTP engine: one pooled client for the process."""

import logging

import pytest

from bedplate.services.engines.http import HttpEngine
from bedplate.services.errors import UnavailableError
from bedplate.wiring.testing.llm import LocalLLM


async def test_one_client_between_start_and_stop() -> None:
    """The client is made at first use, follows no redirect, is closed at stop, and is a new one after another start."""
    engine = HttpEngine()
    with pytest.raises(UnavailableError, match="start its container"):
        _ = engine.client
    clients = []
    for _ in range(2):
        await engine.start()
        client = engine.client
        assert engine.client is client
        assert not client.follow_redirects
        with LocalLLM() as llm:
            assert (await client.get(f"{llm.base_url}/models")).status_code == 200
        await engine.stop()
        assert client.is_closed
        clients.append(client)
    assert clients[0] is not clients[1]
    with pytest.raises(UnavailableError):
        _ = engine.client


async def test_an_engine_that_nobody_used_stops() -> None:
    """Stopping an engine whose client was never asked for is no error, nor is stopping twice."""
    engine = HttpEngine()
    await engine.start()
    await engine.stop()
    await engine.stop()


async def test_concealed_addresses_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A concealed address is in no log of the client, any other is; a stopped engine leaves logging as it was."""
    caplog.set_level(logging.DEBUG)
    before = {name: list(logging.getLogger(name).filters) for name in ("httpx", "httpcore.connection")}
    engine = HttpEngine()
    with LocalLLM() as llm:
        engine.conceal(llm.base_url)
        await engine.start()
        await engine.client.get(f"{llm.base_url}/models")
        await engine.client.get(f"{llm.base_url.replace('127.0.0.1', 'localhost')}/models")
        await engine.stop()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith(("httpx", "httpcore"))]
    assert [line for line in lines if "localhost" in line]
    assert not [line for line in lines if "127.0.0.1" in line]
    assert before == {name: logging.getLogger(name).filters for name in before}
