"""One service: its settings, what it does, what is wrong with it, how it is used."""

import inspect
from collections.abc import Iterator
from typing import Any

import msgspec
from starlette.responses import Response

from bedplate.services.errors import NotFoundError
from bedplate.services.settings.reference import settings_in_use
from bedplate.wiring.http.dashboard.visit import Visit

__all__ = ["docs", "show"]


class Metric(msgspec.Struct, frozen=True):
    """A metric of a service for people."""

    name: str
    labels: str
    value: float
    meaning: str


class Member(msgspec.Struct, frozen=True):
    """A public operation of a service, as its documentation has it."""

    name: str
    signature: str
    text: str


async def show(visit: Visit) -> Response:
    """State, settings with their origins, numbers and findings of one service."""
    name, report = visit.request.path_params["name"], visit.container.report
    record = next((one for one in report.services if one.name == name), None)
    if record is None:
        raise NotFoundError("There is no such service", service="dashboard")
    settings = visit.container.settings()
    states = await visit.live.state()
    needed_by = [one.name for one in report.services if name in one.needs]
    return visit.page(
        "service.html",
        record=record,
        state=states[name],
        needed_by=needed_by,
        settings=[visit.masked(one) for one in settings_in_use(settings) if one.key.partition(".")[0] == name],
        metrics=list(_metrics(visit, name)),
        findings=[one for one in report.findings if one.check.partition(".")[0] == name],
    )


async def docs(visit: Visit) -> Response:
    """What the class of a service says of itself and of each of its operations."""
    name, report = visit.request.path_params["name"], visit.container.report
    if not any(one.name == name for one in report.services):
        raise NotFoundError("There is no such service", service="dashboard")
    kind = type(visit.container.get(name))
    return visit.page(
        "docs.html", name=name, kind=kind.__name__, text=inspect.getdoc(kind) or "", members=_members(kind)
    )


def _metrics(visit: Visit, name: str) -> Iterator[Metric]:
    prefix = f"bedplate_{name}_"
    for metric in visit.container.telemetry().metrics():
        if not metric.name.startswith(prefix):
            continue
        for one in metric.samples:
            if one.name.endswith(("_bucket", "_created")):
                continue
            labels = ", ".join(f"{key}={value}" for key, value in one.labels.items())
            yield Metric(one.name.removeprefix(prefix), labels, one.value, metric.documentation)


def _members(kind: type[Any]) -> list[Member]:
    found = []
    for name, member in inspect.getmembers(kind, callable):
        if not name.startswith("_") and (text := inspect.getdoc(member)) and member.__module__.startswith("bedplate."):
            found.append(Member(name, str(inspect.signature(member)), text))
    return found
