"""Runs: a list, and each with its steps over time."""

import uuid
from datetime import UTC, datetime

from starlette.responses import Response

from bedplate.services.errors import NotFoundError
from bedplate.services.tracing import SpanNode, Trace
from bedplate.services.tracing.models import TracePage
from bedplate.wiring.http.dashboard.visit import Visit
from bedplate.wiring.http.dashboard.waterfall import waterfall

__all__ = ["index", "show", "span"]

_PAGE = 50
_NOTHING = TracePage(items=(), next_cursor=None)


async def index(visit: Visit) -> Response:
    """The latest runs of all users, or of one."""
    tracing = visit.container.tracing()
    name, failed, cursor = visit.asked("user"), visit.asked("failed") is not None, visit.asked("cursor")
    if name is None:
        runs = await tracing.runs_of_all(failed=failed, limit=_PAGE, cursor=cursor)
    else:
        owner = await visit.people.id(name)
        runs = await tracing.runs(owner, limit=_PAGE, cursor=cursor) if owner else _NOTHING
    names = await visit.people.names(run.user_id for run in runs.items)
    return visit.page("runs.html", runs=runs, names=names, took={run.id: _took(run) for run in runs.items})


async def show(visit: Visit) -> Response:
    """A run with its steps; while it runs, only if it is not what the visitor has seen already."""
    owner, run_id = visit.id("owner"), visit.id("run")
    tree = await visit.container.tracing().tree(owner, run_id)
    steps = await visit.aside(waterfall, tree)
    if visit.fragment and visit.asked("seen") == steps.version:
        return Response(status_code=204)
    names = await visit.people.names([owner])
    # A run may have thousands of steps.
    return await visit.aside(
        visit.page,
        "run.html",
        run=visit.masked_struct(tree.trace),
        steps=steps,
        owner=names[owner],
        took=_took(tree.trace),
        running=tree.trace.status == "running",
    )


async def span(visit: Visit) -> Response:
    """One step of a run: what it was given, what it gave, what it said."""
    owner, run_id, span_id = visit.id("owner"), visit.id("run"), visit.id("span")
    tree = await visit.container.tracing().tree(owner, run_id)
    found = _find(tree.spans, span_id)
    if found is None:
        raise NotFoundError("There is no such step", service="tracing")
    return visit.page("span.html", run=tree.trace, span=visit.masked_struct(found))


def _find(spans: tuple[SpanNode, ...], span_id: uuid.UUID) -> SpanNode | None:
    todo = list(spans)
    while todo:
        one = todo.pop()
        if one.id == span_id:
            return one
        todo += one.children
    return None


def _took(run: Trace) -> float | None:
    if run.ended_at is None and run.status != "running":
        return None
    return ((run.ended_at or datetime.now(UTC)) - run.started_at).total_seconds() * 1e3
