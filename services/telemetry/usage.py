"""Usage analytics: one small report a day, to an address that the operator has set, and to nobody otherwise.

Nothing in it says who or where: no id of an installation, no name, no address, no text, no time, and numbers of calls
in their order of magnitude only. What an HTTP request says anyway, the address that it comes from, the receiver sees.
"""

import asyncio
import contextlib
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from bedplate import __version__
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService

__all__ = ["KNOWN_BACKENDS", "UsageReport", "UsageReporter"]

_log = get_logger("bedplate.telemetry")

DAY = 86_400.0
SETTLED = 300.0
"""Seconds after a start before which nothing is sent: there is nothing to tell of, and it may be a short one."""
_TIMEOUT = 10.0
_MARK = "usage-report"

KNOWN_BACKENDS = frozenset(
    {
        "anyio",
        "celery",
        "database",
        "directus",
        "disk",
        "embedded",
        "kubernetes",
        "local",
        "memory",
        "off",
        "otlp",
        "postgres",
        "redis",
        "remote",
        "s3",
        "sqlite",
        "two_tier",
        "vendors",
    }
)
"""Names of backends that say nothing of who uses them; any other is reported as ``"other"``."""


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that is ever sent.

    Attributes:
        version: Of Bedplate, such as ``"0.1.0"``.
        python: Of Python, without the third number: ``"3.11"``.
        system: The kind of operating system: ``"Linux"``, ``"Darwin"`` or ``"Windows"``.
        profile: ``"embedded"``, ``"cluster"`` or ``"test"``.
        backends: The backend of each of the sixteen services; ``"other"`` for one that is not Bedplate's own.
        calls: For each service, calls of its operations since the start as the power of ten that they reach: 0, 1, 10,
            100, … All 0 where operations are not counted.
    """

    version: str
    python: str
    system: str
    profile: str
    backends: dict[str, str]
    calls: dict[str, int]


class UsageReporter:
    """Sends the report once a day.

    A file in the data folder tells by its age when the last one was sent, so that starts make no further ones.

    Args:
        settings: The settings; ``telemetry.usage_endpoint`` says where to.
        calls: The number of calls by service.
    """

    def __init__(self, settings: SettingsService, calls: Callable[[], Mapping[str, int]]) -> None:
        self._settings = settings
        self._calls = calls
        self._mark: Path = settings.values.data_dir / _MARK
        self._task: asyncio.Task[None] | None = None

    def report(self) -> UsageReport:
        """The report as it would be sent now."""
        calls = self._calls()
        chosen = {service.value: self._settings.backend_of(service)[0] for service in ServiceType}
        return UsageReport(
            version=__version__,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            system=platform.system(),
            profile=self._settings.values.profile,
            backends={name: one if one in KNOWN_BACKENDS else "other" for name, one in chosen.items()},
            calls={name: _magnitude(calls.get(name, 0)) for name in chosen},
        )

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.get_running_loop().create_task(self._daily())

    async def stop(self) -> None:
        """End, also in the middle of a report."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _daily(self) -> None:
        wait = SETTLED
        while True:
            await asyncio.sleep(max(wait, self._due() - time.time()))
            wait = 0.0
            await self._send()

    def _due(self) -> float:
        with contextlib.suppress(OSError):
            return self._mark.stat().st_mtime + DAY
        return 0.0

    async def _send(self) -> None:
        # Sent or not, the next is due in a day: who does not take it is not asked again and again.
        with contextlib.suppress(OSError):
            self._mark.parent.mkdir(parents=True, exist_ok=True)
            self._mark.touch()
        import httpx

        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT, headers={"User-Agent": "bedplate"}) as client:
                answer = await client.post(
                    str(self._settings.values.telemetry.usage_endpoint),
                    content=msgspec.json.encode(self.report()),
                    headers={"Content-Type": "application/json"},
                )
                answer.raise_for_status()
        except httpx.HTTPError as error:
            _log.info("the usage report was not taken; the next goes out in a day", error=type(error).__name__)
        else:
            _log.info("the usage report was sent; see docs/services/telemetry.md for all that it says")


def _magnitude(count: int) -> int:
    return int(10 ** (len(str(count)) - 1)) if count else 0
