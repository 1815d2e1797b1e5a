"""From nothing to ready, and the cost of asking for the version."""

import asyncio
import compileall
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Aim, Row, ratio
from benchmarks.processes import Cost, run_process

__all__ = ["rows"]

_ROOT = Path(__file__).parent.parent


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Process start to ready on an existing database, and ``bedplate --version``."""
    for folder in ("containers", "services", "wiring", "migrations", "src", "benchmarks"):
        compileall.compile_dir(_ROOT / folder, quiet=2)
    with tempfile.TemporaryDirectory() as folder:
        environment = {"BEDPLATE_DATA_DIR": folder, "BEDPLATE_TELEMETRY__LOG_LEVEL": "error"}

        def bedplate() -> Cost:
            return run_process(["-m", "benchmarks.peers.start_bedplate"], environment)

        def minimal() -> Cost:
            url = f"sqlite+aiosqlite:///{folder}/minimal.db"
            return run_process(["-m", "benchmarks.peers.start_minimal", url])

        bedplate()
        for name, unit, bound, pick in (("CPU", "s", 2.2, _cpu), ("peak RSS", "MiB", 1.8, _rss)):
            yield ratio(
                f"process start to ready, existing database: {name}",
                lambda pick=pick: pick(bedplate()),  # type: ignore[misc]  # a lambda's default has no annotation
                lambda pick=pick: pick(minimal()),  # type: ignore[misc]  # as above
                against="minimal FastAPI + SQLModel application",
                unit=unit,
                aim=Aim("≤", bound),
                runner=runner,
                rounds=11,
            )
    yield ratio(
        "bedplate --version",
        lambda: run_process(["-m", "bedplate", "--version"]).cpu,
        lambda: run_process(["-c", "pass"]).cpu,
        against="python -c pass",
        unit="s",
        aim=Aim("≤", 6.0),
        runner=runner,
    )


def _cpu(cost: Cost) -> float:
    return cost.cpu


def _rss(cost: Cost) -> float:
    return cost.rss
