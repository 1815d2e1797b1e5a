"""The catalogue of the store: publishing, searching among ten thousand components, downloading."""

import asyncio
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from bedplate.containers import ApplicationContainer
from bedplate.services.database.models import StoreComponentRow, StoreVersionRow, UserRow, new_id
from bedplate.services.store import NewComponent, Query, Sort
from benchmarks.harness import Row, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_COMPONENTS = 10_000
_ROUNDS = 10
_SETTINGS = {"max_components_per_user": 1_000_000}


def _node(number: int) -> dict[str, Any]:
    template = {"code": {"value": "x = 1\n" * 800}}
    data = {"id": f"Prompt-{number}", "type": "Prompt", "node": {"template": template}}
    return {"id": f"Prompt-{number}", "data": data}


_DOCUMENT: dict[str, Any] = {"nodes": [_node(number) for number in range(20)], "edges": []}
"""About 100 KiB, most of it source code, as flows are."""


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Each beside the least that the database does for it."""
    with temporary_folder() as folder, run_in(runner, folder, "store", store=_SETTINGS) as container:
        store, user = container.store(), runner.run(_fill(container))
        numbers = itertools.count()
        made = runner.run(store.publish(user, NewComponent(name="one", data=_DOCUMENT, private=False)))
        yield ratio(
            "store: publish a flow of 100 KiB",
            lambda: _timed(lambda: store.publish(user, NewComponent(name=f"new {next(numbers)}", data=_DOCUMENT))),
            lambda: _timed(lambda: _insert(container, user)),
            against="insert of a component and its version",
            unit="ms",
            aim=None,
            runner=runner,
        )
        yield ratio(
            "store: download a flow of 100 KiB",
            lambda: _timed(lambda: store.download(user, made.id)),
            lambda: _timed(lambda: _read(container, made.id)),
            against="select of its version and one update",
            unit="ms",
            aim=None,
            runner=runner,
        )
        query = Query(sort=((Sort.DOWNLOADS, True),))
        yield ratio(
            "store: first page of 10,000, by downloads",
            lambda: _timed(lambda: store.search(user, query)),
            lambda: _timed(lambda: _page(container)),
            against="select of ten components and a count",
            unit="ms",
            aim=None,
            runner=runner,
        )
        text = Query(text="number 9999")
        yield ratio(
            "store: text search in 10,000",
            lambda: _timed(lambda: store.search(user, text)),
            lambda: _timed(lambda: _page(container)),
            against="select of ten components and a count",
            unit="ms",
            aim=None,
            runner=runner,
        )


async def _timed(work: Callable[[], Awaitable[Any]]) -> float:
    begun = time.perf_counter()
    for _ in range(_ROUNDS):
        await work()
    return (time.perf_counter() - begun) / _ROUNDS * 1e3


async def _fill(container: ApplicationContainer) -> uuid.UUID:
    user = UserRow(username="ada", username_key="ada", password_hash="-")
    async with container.database().transaction() as session:
        session.add(user)
    components = [
        {"id": new_id(), "user_id": user.id, "slug": f"c{number}", "name": f"number {number}",
         "name_key": f"number {number}", "is_component": False, "private": False, "latest": None,
         "downloads": number % 997, "created_at": user.created_at, "updated_at": user.created_at}
        for number in range(_COMPONENTS)
    ]  # fmt: skip
    async with container.database().transaction() as session:
        await (await session.connection()).execute(sa.insert(StoreComponentRow), components)
    return user.id


async def _insert(container: ApplicationContainer, user: uuid.UUID) -> None:
    id_ = new_id()
    row = StoreComponentRow(id=id_, user_id=user, slug=str(id_), name="x", name_key="x")
    version = StoreVersionRow(
        component_id=id_, version="1.0.0", digest="", document="x" * 100_000, size=100_000, summary={}
    )
    async with container.database().transaction() as session:
        session.add(row)
        await session.flush()
        session.add(version)


async def _read(container: ApplicationContainer, component_id: uuid.UUID) -> None:
    async with container.database().session() as session:
        await session.exec(select(StoreVersionRow).where(col(StoreVersionRow.component_id) == component_id))
    async with container.database().transaction() as session:
        mine = col(StoreComponentRow.id) == component_id
        await session.exec(sa.update(StoreComponentRow).where(mine).values(downloads=1))


async def _page(container: ApplicationContainer) -> None:
    async with container.database().session() as session:
        await session.exec(select(StoreComponentRow).order_by(col(StoreComponentRow.id)).limit(10))
        await session.exec(select(sa.func.count()).select_from(StoreComponentRow))
