"""STATE-1, ALL-6: what the memory backend keeps beside the values."""

import uuid
from collections.abc import AsyncIterator

import pytest

from bedplate.services.settings import SettingsService
from bedplate.services.state import Scope, StateService, StateValueTooLargeError
from bedplate.services.state.factory import build_state
from bedplate.services.telemetry import TelemetryService


@pytest.fixture
async def state(settings: SettingsService, telemetry: TelemetryService) -> AsyncIterator[StateService]:
    service = build_state(settings, telemetry)
    await service.start()
    yield service
    await service.stop()


async def test_times_of_values_that_are_gone_are_forgotten(state: StateService) -> None:
    """ALL-6: however often a value with a time is replaced or deleted."""
    run = Scope.run(uuid.uuid4(), uuid.uuid4())
    for number in range(1000):
        await state.set(run, "key", number, ttl=1000)
        await state.set(run, f"key-{number}", number, ttl=1000)
        await state.delete(run, f"key-{number}")
    assert len(state._store._due) < 200  # type: ignore[attr-defined]
    await state.close(run)
    assert state._store._owners == {}  # type: ignore[attr-defined]


async def test_the_metrics(state: StateService, telemetry: TelemetryService) -> None:
    """ALL-6: how much there is, and what was dropped or refused."""
    run = Scope.run(uuid.uuid4(), uuid.uuid4())
    async with await state.subscribe(run, "key"):
        for number in range(300):
            await state.set(run, "key", number)
        text = telemetry.exposition().decode()
    for line in ("bedplate_state_entries 1.0", "bedplate_state_scopes 1.0", "bedplate_state_subscriptions 1.0"):
        assert line in text
    assert "\nbedplate_state_dropped_total 300.0\n" in text  # the 257th left no room, nor those after it
    with pytest.raises(StateValueTooLargeError, match="MAX_VALUE_BYTES"):
        await state.set(run, "key", b"x" * 2**21)
    assert 'bedplate_state_refused_total{limit="max_value_bytes"} 1.0' in telemetry.exposition().decode()
