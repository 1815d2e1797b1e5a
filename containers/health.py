"""The health of all services of a container together."""

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from bedplate.containers.report import Report, State
from bedplate.services.health import Health, HealthStatus
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.server import ServerSettings

__all__ = ["ContainerHealth", "check_health"]


class ContainerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What all services say together.

    Attributes:
        status: Down if a required service is; degraded if any service is not up; else up.
        services: What each says, by name.
    """

    status: HealthStatus
    services: dict[str, Health]


async def check_health(report: Report, values: Mapping[str, Any], settings: SettingsService | None) -> ContainerHealth:
    """Ask the started services, all at once; one that does not answer in time is down.

    Args:
        report: The report of the last start.
        values: The started objects by name.
        settings: Where ``server.health_timeout`` is read from.
    """
    timeout = (settings.values.server if settings else ServerSettings()).health_timeout
    answers = await asyncio.gather(*(_ask(value, timeout) for value in values.values()))
    asked = dict(zip(values, answers, strict=True))
    services = {
        record.name: asked.get(record.name)
        or Health(status=HealthStatus.DOWN, reason=record.error or str(record.state))
        for record in report.services
        if record.state is not State.NOT_NEEDED
    }
    required = {record.name: record.required for record in report.services}
    if not values or any(
        one.status is HealthStatus.DOWN and required.get(name, True) for name, one in services.items()
    ):
        status = HealthStatus.DOWN
    elif all(one.status is HealthStatus.UP for one in services.values()):
        status = HealthStatus.UP
    else:
        status = HealthStatus.DEGRADED
    return ContainerHealth(status=status, services=services)


async def _ask(value: Any, timeout: float) -> Health:
    health = getattr(value, "health", None)
    if not inspect.iscoroutinefunction(health):
        return Health(status=HealthStatus.UP)
    try:
        async with asyncio.timeout(timeout):
            answer = await health()
    except TimeoutError:
        return Health(status=HealthStatus.DOWN, reason=f"no answer within {timeout:g} s", latency_ms=timeout * 1e3)
    except Exception as error:
        # The text of a foreign exception may carry an address or a password.
        return Health(status=HealthStatus.DOWN, reason=type(error).__name__)
    return answer if isinstance(answer, Health) else Health(status=HealthStatus.UP)
