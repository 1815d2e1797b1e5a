"""Runs the checks of the services of a container: each on its own, in bounded time, none able to stop anything."""

import asyncio
import inspect
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from dependency_injector import providers

from bedplate.containers.errors import hide_credentials, reason
from bedplate.containers.plan import Plan
from bedplate.services.backends import Backend
from bedplate.services.checks import Check, Finding, Severity, Surroundings, Trouble
from bedplate.services.engines.workers import WorkerPool
from bedplate.services.errors import BedplateError, MissingExtraError
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService

__all__ = ["backends_of", "build", "checks_of", "examine"]

_log = get_logger("bedplate.containers")

_ORDER = list(Severity)


def backends_of(plan: Plan) -> dict[str, Backend]:
    """The chosen backends by the name of their service."""
    return {node.name: node.choice.backend for node in plan.nodes if node.choice}


def build(plan: Plan) -> tuple[dict[str, Any], list[Finding]]:
    """Build what a plan names, without starting it; with what could not be built.

    Resources are left out: to make one is to start it.
    """
    built: dict[str, Any] = {}
    failed: dict[str, Finding] = {}
    for node in plan.nodes:
        if isinstance(node.provider, providers.Resource):
            continue
        try:
            built[node.name] = node.provider()
        except Exception as error:
            finding = _unbuildable(node.name, error)
            failed.setdefault(finding.what, finding)  # what others of them need fails with the same error
    return {name: one for name, one in built.items() if not inspect.isawaitable(one)}, list(failed.values())


async def examine(
    services: Mapping[str, Any],
    settings: SettingsService,
    backends: Mapping[str, Backend],
    *,
    started: bool,
    timeout: float,
) -> list[Finding]:
    """Run the checks of the services, the worst findings first.

    Args:
        services: The services by name; those without ``checks`` are passed over.
        settings: The settings of the container.
        backends: The chosen backends by the name of their service.
        started: Whether the services are started.
        timeout: Seconds that all of them may take; what is not done by then is a finding itself.
    """
    around = Surroundings(settings=settings, environment=os.environ, backends=backends, started=started)
    checks = [(one, service) for service in services.values() for one in checks_of(service)]
    slow = [(one, service) for one, service in checks if inspect.iscoroutinefunction(one.look)]
    round_ = _Round(around)
    pool = WorkerPool("doctor", 1, 1)
    try:
        async with asyncio.timeout(timeout):
            await pool.run(round_.look, [pair for pair in checks if pair not in slow])
            for one, service in slow:
                await round_.look_slowly(one, service)
            await pool.close()
    except TimeoutError:
        trouble = Trouble(f"no answer within {timeout:g} s", "see what the disk or the database waits for")
        round_.note(round_.current, trouble, Severity.WARNING)
    return sorted(round_.findings, key=lambda finding: (_ORDER.index(finding.severity), finding.check))


def checks_of(service: Any) -> Iterable[Check]:
    """The checks that a service declares."""
    declared = getattr(type(service), "checks", ())
    return [one for one in declared if isinstance(one, Check)] if isinstance(declared, tuple) else []


class _Round:
    """One round of checks, and what it has found."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.findings: list[Finding] = []
        self.current: Check | None = None
        self._lock = threading.Lock()

    def look(self, checks: Iterable[tuple[Check, Any]]) -> None:
        """Run checks that are plain functions; belongs into a thread."""
        for one, service in checks:
            self.current = one
            try:
                for trouble in one.look(service, self.around):  # type: ignore[union-attr]  # no coroutine function
                    self.note(one, trouble)
            except Exception as error:
                self._failed(one, error)

    async def look_slowly(self, one: Check, service: Any) -> None:
        """Run a check that is a coroutine function."""
        self.current = one
        try:
            for trouble in await one.look(service, self.around):  # type: ignore[misc]  # a coroutine function
                self.note(one, trouble)
        except TimeoutError:
            raise
        except Exception as error:
            self._failed(one, error)

    def note(self, one: Check | None, trouble: Trouble, severity: Severity | None = None) -> None:
        """Keep a trouble as a finding."""
        usual = one.severity if one else Severity.WARNING
        finding = Finding(
            check=one.id if one else "doctor",
            severity=severity or trouble.severity or usual,
            what=trouble.what,
            fix=trouble.fix,
        )
        with self._lock:
            self.findings.append(finding)

    def _failed(self, one: Check, error: Exception) -> None:
        # Of a foreign exception the kind alone: its text may hold anything.
        _log.warning("a check failed", check=one.id, error=type(error).__name__)
        what = f"could not be checked: {type(error).__name__}"
        self.note(one, Trouble(what, "report it, with the log of this run"), Severity.WARNING)


def _unbuildable(name: str, error: Exception) -> Finding:
    kind = "missing-extra" if isinstance(error, MissingExtraError) else "unusable"
    ours = error if isinstance(error, BedplateError) else None
    return Finding(
        check=f"{(ours and ours.service) or name}.{kind}",
        severity=Severity.ERROR,
        what=hide_credentials(ours.what if ours else reason(error)),
        fix=(ours and ours.fix) or "see what the error says",
    )
