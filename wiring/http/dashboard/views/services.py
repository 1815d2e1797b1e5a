"""One service: its settings, what it does, what is wrong with it, how it is used."""

import inspect
from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from bedplate.services.errors import NotFoundError
from bedplate.services.settings.reference import Setting, settings_in_use
from bedplate.wiring.http.dashboard.documentation import members_of
from bedplate.wiring.http.dashboard.visit import Visit

__all__ = ["docs", "show"]


_NO_ERRORS = ("ok", "cancelled")
_MOST_COLUMNS = 6
_MOST_ROWS = 200


class Row(msgspec.Struct, frozen=True):
    """A metric of a service for people, with its value in each column."""

    name: str
    meaning: str
    values: list[float | None]


class Table(msgspec.Struct, frozen=True):
    """Metrics with the same labels: a column for each combination of their values."""

    by: str
    columns: list[str]
    rows: list[Row]


async def show(visit: Visit) -> Response:
    """State, settings with their origins, numbers and findings of one service."""
    name, report = visit.request.path_params["name"], visit.container.report
    record = next((one for one in report.services if one.name == name), None)
    if record is None:
        raise NotFoundError("There is no such service", service="dashboard")
    settings = await visit.aside(settings_in_use, visit.container.settings())
    states = await visit.live.state()
    needed_by = [one.name for one in report.services if name in one.needs]
    operations = visit.container.telemetry().operations(name)
    return visit.page(
        "service.html",
        record=record,
        operations=sorted((one for one in operations if one.calls), key=lambda one: -one.calls),
        idle=[one.operation for one in operations if not one.calls],
        errors=[
            (one, code, count)
            for one in operations
            for code, count in one.outcomes.items()
            if count and code not in _NO_ERRORS
        ],
        state=states[name],
        needed_by=needed_by,
        settings=[_shown(visit, one) for one in settings if one.key.partition(".")[0] == name],
        tables=_tables(visit, name),
        findings=[one for one in report.findings if one.check.partition(".")[0] == name],
    )


async def docs(visit: Visit) -> Response:
    """What the class of a service says of itself and of each of its operations."""
    name, report = visit.request.path_params["name"], visit.container.report
    if not any(one.name == name for one in report.services):
        raise NotFoundError("There is no such service", service="dashboard")
    service = visit.container.get(name)
    members, text = await visit.aside(members_of, service), inspect.getdoc(type(service)) or ""
    return visit.page("docs.html", name=name, kind=type(service).__name__, text=text, members=members)


def _shown(visit: Visit, setting: Setting) -> Setting:
    """A setting without secrets; how many and how long is none, whatever it is of: ``password_min_length``."""
    if isinstance(setting.value, bool | int | float):
        return setting
    [value] = visit.masked({setting.key: setting.value}).values()
    return msgspec.structs.replace(setting, value=value)


def _tables(visit: Visit, name: str) -> list[Table]:
    prefix = f"bedplate_{name}_"
    found: dict[str, dict[tuple[str, str], dict[str, float]]] = {}
    for metric in visit.container.telemetry().metrics():
        for one in metric.samples if metric.name.startswith(prefix) else ():
            if not one.name.endswith(("_bucket", "_created")):
                key = one.name.removeprefix(prefix).removesuffix("_total").replace("_", " "), metric.documentation
                column = ", ".join(one.labels.values())
                found.setdefault(", ".join(one.labels), {}).setdefault(key, {})[column] = one.value
    return [_table(by, rows) for by, rows in sorted(found.items())]


def _table(by: str, values: Mapping[tuple[str, str], Mapping[str, float]]) -> Table:
    columns = sorted({column for row in values.values() for column in row})
    if len(columns) <= _MOST_COLUMNS:
        rows = [Row(name, meaning, [row.get(column) for column in columns]) for (name, meaning), row in values.items()]
        return Table(by, columns, rows)
    rows = [
        Row(f"{name}: {column}", meaning, [value])
        for (name, meaning), row in values.items()
        for column, value in row.items()
    ]
    return Table(by, [""], rows[:_MOST_ROWS])
