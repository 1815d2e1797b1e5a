"""A started variable service, and users to own variables."""

import asyncio
import itertools
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable import VariableService
from bedplate.services.variable.factory import build_variable

SECRET_KEY = "a-secret-key-of-the-tests-0123456789abcdef"

MakeVariable = Callable[..., Awaitable[VariableService]]


@pytest.fixture
async def make_variable(
    tmp_path: Path, database: DatabaseService, redactor: Redactor, telemetry: TelemetryService
) -> AsyncIterator[MakeVariable]:
    """Starts variable services with keys and settings of the test's choice, on one database; stops them at the end."""
    made: list[VariableService] = []

    async def make(*, secret_key: str = SECRET_KEY, **variable: Any) -> VariableService:
        settings = SettingsService(data_dir=tmp_path, secret_key=secret_key, variable=variable)
        keyring = Keyring(settings)
        await keyring.start()
        service = build_variable(settings, telemetry, database, keyring, redactor)
        await service.start()
        made.append(service)
        return service

    yield make
    for service in made:
        await service.stop()


@pytest.fixture
async def variables(make_variable: MakeVariable) -> VariableService:
    return await make_variable()


@types.coroutine
def cancelled_at(number: int, work: Coroutine[Any, Any, object]) -> Generator[Any, Any, bool]:
    """Await ``work``, cancelling this task at the given await; whether there was such an await."""
    task = asyncio.current_task()
    assert task is not None
    error: BaseException | None = None
    for current in itertools.count(1):
        try:
            waiting = work.send(None) if error is None else work.throw(error)
        except StopIteration:
            return current > number
        if current == number:
            task.cancel()
        error = None
        try:
            yield waiting
        except BaseException as thrown:
            error = thrown
    raise AssertionError("unreachable")


@pytest.fixture
def interrupted() -> Callable[[Callable[[], Coroutine[Any, Any, object]]], AsyncIterator[bool]]:
    """Runs work again and again, cancelled at its first await, then at its second, until it has no further one.

    Yields after each run whether it got through in spite of that.
    """

    async def run(work: Callable[[], Coroutine[Any, Any, object]]) -> AsyncIterator[bool]:
        async def attempt(number: int) -> bool:
            return await cancelled_at(number, work())

        for number in itertools.count(1):
            task = asyncio.create_task(attempt(number))
            await asyncio.wait({task})
            yield not task.cancelled()
            if not task.cancelled() and not task.result():
                return

    return run
