"""What watching the operations of services costs, and what it costs when it is turned off."""

import asyncio
import time
import uuid
from collections.abc import Iterator

from bedplate.services.state import Scope, StateService
from bedplate.services.state.factory import build_state
from benchmarks.harness import Aim, Measure, Row, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_CALLS = 20_000


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Reading a value of a run's state, as cheap an operation as there is; the peer was never shown to telemetry."""
    yield _row(runner, "service operation with telemetry off", Aim("≤", 1.05), operations=False)
    yield _row(runner, "service operation, counted and timed", None, operations=True)


def _row(runner: asyncio.Runner, name: str, aim: Aim | None, *, operations: bool) -> Row:
    telemetry = {"operations": operations, "log_level": "error"}
    with temporary_folder() as folder, run_in(runner, folder, "state", telemetry=telemetry) as container:
        bare = build_state(container.settings(), container.telemetry())
        runner.run(bare.start())
        row = ratio(
            name,
            _reads(container.state()),
            _reads(bare),
            against="the same service, never shown to telemetry",
            unit="ns",
            aim=aim,
            runner=runner,
        )
        runner.run(bare.stop())
    return row


def _reads(state: StateService) -> Measure:
    scope = Scope.run(uuid.uuid4(), uuid.uuid4())

    async def measure() -> float:
        await state.set(scope, "key", 1)
        begun = time.perf_counter()
        for _ in range(_CALLS):
            await state.get(scope, "key")
        return (time.perf_counter() - begun) / _CALLS * 1e9

    return measure
