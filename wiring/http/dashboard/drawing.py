"""The container as a drawing: each service right of those that it needs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from bedplate.containers import ApplicationContainer
from bedplate.containers.report import Record, Report, State
from bedplate.services.schema import ServiceType

__all__ = ["Box", "Drawing", "Line", "draw"]

WIDTH, HEIGHT = 186, 62
_GAP_X, _GAP_Y = 46, 18
_MARGIN = 12
_ROUNDS = 4


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A service in the drawing, with its upper left corner."""

    record: Record
    x: float
    y: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """From a service to one that needs it.

    Attributes:
        source: What is needed.
        target: What needs it.
        path: The curve.
        implied: Whether the need follows from others that are drawn.
    """

    source: str
    target: str
    path: str
    implied: bool


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it.

    Attributes:
        engines: What several services share: not in the drawing, but beside it.
    """

    width: float
    height: float
    boxes: Sequence[Box]
    lines: Sequence[Line]
    engines: Sequence[Record]


def draw(report: Report, container_class: Any = ApplicationContainer) -> Drawing:
    """Lay out the services of a report: the sixteen, and those that the application has added.

    Args:
        report: What started, and what needs what.
        container_class: Whose providers are Bedplate's own, so that others are the application's.
    """
    records = {record.name: record for record in report.services}
    own = set(container_class.providers)
    sixteen = {str(one) for one in ServiceType}
    shown = [name for name in records if name in sixteen or name not in own]
    needs = {name: _needs(name, records, shown) for name in shown}
    columns = _columns(needs)
    places = _places(columns)
    height = max((y for _, y in places.values()), default=0) + HEIGHT + _MARGIN
    lines = [
        Line(source=need, target=name, path=_curve(places[need], places[name]), implied=_implied(need, name, needs))
        for name in shown
        for need in sorted(needs[name])
    ]
    return Drawing(
        width=2 * _MARGIN + len(columns) * (WIDTH + _GAP_X) - _GAP_X,
        height=height,
        boxes=[Box(record=records[name], x=x, y=y) for name, (x, y) in places.items()],
        lines=sorted(lines, key=lambda line: not line.implied),
        engines=[one for name, one in records.items() if name not in shown and one.state is not State.NOT_NEEDED],
    )


def _needs(name: str, records: Mapping[str, Record], shown: Collection[str]) -> set[str]:
    """The services that one needs, directly or by an engine that is not shown."""
    found: set[str] = set()
    todo, seen = list(records[name].needs), {name}
    while todo:
        need = todo.pop()
        if need in seen or need not in records:
            continue
        seen.add(need)
        if need in shown:
            found.add(need)
        else:
            todo += records[need].needs
    return found


def _implied(need: str, name: str, needs: Mapping[str, set[str]]) -> bool:
    todo, seen = [one for one in needs[name] if one != need], set[str]()
    while todo:
        one = todo.pop()
        if need in needs[one]:
            return True
        if one not in seen:
            seen.add(one)
            todo += needs[one]
    return False


def _columns(needs: Mapping[str, set[str]]) -> list[list[str]]:
    """The services by the length of the longest way to them, those of a column near what they are joined with."""
    depth: dict[str, int] = {}
    waiting = dict(needs)
    while waiting:
        ready = [name for name, own in waiting.items() if own <= depth.keys()]
        for name in ready:
            depth[name] = max((depth[need] + 1 for need in needs[name]), default=0)
            del waiting[name]
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name in needs:
        columns[depth[name]].append(name)
    joined = {name: [other for other in needs if other in needs[name] or name in needs[other]] for name in needs}
    for _ in range(_ROUNDS):
        place = {name: row - len(column) / 2 for column in columns for row, name in enumerate(column)}
        for column in columns:
            column.sort(key=lambda name: sum(place[one] for one in joined[name]) / max(len(joined[name]), 1))
    return columns


def _places(columns: Sequence[Sequence[str]]) -> dict[str, tuple[float, float]]:
    step = HEIGHT + _GAP_Y
    tallest = max((len(column) for column in columns), default=0) * step - _GAP_Y
    places: dict[str, tuple[float, float]] = {}
    for number, column in enumerate(columns):
        top = _MARGIN + (tallest - (len(column) * step - _GAP_Y)) / 2
        for row, name in enumerate(column):
            places[name] = (_MARGIN + number * (WIDTH + _GAP_X), top + row * step)
    return places


def _curve(source: tuple[float, float], target: tuple[float, float]) -> str:
    x1, y1 = source[0] + WIDTH, source[1] + HEIGHT / 2
    x2, y2 = target[0], target[1] + HEIGHT / 2
    bend = min((x2 - x1) / 2, 60)
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
