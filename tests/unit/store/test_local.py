"""The catalogue in the database (STORE-1, STORE-2)."""

import sqlite3
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bedplate.containers import ApplicationContainer
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import StoreComponentRow, StoreVersionRow
from bedplate.services.database.repositories.store_search import StoreFilter, StoreSearch
from bedplate.services.store import (
    Changes,
    DigestMismatchError,
    NewComponent,
    Query,
    Sort,
    StoreLimitError,
    StoreSecretError,
    StoreService,
)
from bedplate.wiring.testing.store.harness import flow, named


class TestBusyDatabase:
    """What happens while another process holds the write lock."""

    @pytest.fixture
    def store_settings(self) -> dict[str, Any]:
        return {"database": {"busy_timeout": 0.05}}

    async def test_a_download_that_cannot_be_counted_is_given_all_the_same(
        self, store: StoreService, ann: uuid.UUID, tmp_path: Path
    ) -> None:
        """STORE-1: once, a failing statistic failed the download."""
        made = await store.publish(ann, named("x"))
        with sqlite3.connect(tmp_path / "bedplate.db") as other:
            other.execute("BEGIN IMMEDIATE")
            assert (await store.download(ann, made.id)).data == flow("x")
            other.rollback()
        other.close()
        assert (await store.get(ann, made.id)).downloads == 0
        await store.download(ann, made.id)
        assert (await store.get(ann, made.id)).downloads == 1


async def test_a_damaged_document_is_never_given(
    store: StoreService, ann: uuid.UUID, database: DatabaseService
) -> None:
    """STORE-2: what arrives is what the digest says."""
    made = await store.publish(ann, named("x"))
    async with database.transaction() as session:
        document = flow("something else")
        await session.exec(sa.update(StoreVersionRow).values(document=str(document).replace("'", '"')))
    with pytest.raises(DigestMismatchError):
        await store.download(ann, made.id)


async def test_limits_of_the_catalogue(
    store: StoreService, ann: uuid.UUID, bob: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STORE-1: most components of a user, most versions of one; another user is not concerned."""
    limits = store._store._limits  # type: ignore[attr-defined]  # of the backend in use
    monkeypatch.setattr(store._store, "_limits", type(limits)(components=2, versions=2, tags=()))
    first = await store.publish(ann, named("a"))
    await store.publish(ann, named("b"))
    with pytest.raises(StoreLimitError, match="MAX_COMPONENTS_PER_USER"):
        await store.publish(ann, named("c"))
    await store.publish(bob, named("c"))
    await store.update(ann, first.id, Changes(data=flow("two")))
    with pytest.raises(StoreLimitError, match="MAX_VERSIONS"):
        await store.update(ann, first.id, Changes(data=flow("three")))


async def test_credentials_are_learnt_before_anything_is_looked_through(
    container: ApplicationContainer, store: StoreService, ann: uuid.UUID, database: DatabaseService
) -> None:
    """STORE-2: one that cannot be decrypted hides no other."""
    variable = container.variable()
    await variable.create(ann, "BROKEN", "nobody-can-read-this-one")
    await variable.create(ann, "GOOD", "plain-words-that-are-secret")
    async with database.transaction() as session:
        await session.exec(sa.text("UPDATE bedplate_variable SET value = x'00' WHERE name = 'BROKEN'"))
    container.redactor().retire((await variable.get(ann, "GOOD")).id)
    assert not container.redactor().recognises("plain-words-that-are-secret")
    with pytest.raises(StoreSecretError):
        await store.publish(ann, NewComponent(name="x", data=flow("plain-words-that-are-secret")))


@pytest.mark.parametrize("sort", [Sort.NAME, Sort.CREATED, Sort.UPDATED, Sort.DOWNLOADS])
async def test_public_lists_are_served_by_an_index(
    store: StoreService, ann: uuid.UUID, database: DatabaseService, sort: Sort
) -> None:
    """DB-3: the pages that everybody looks at are not sorted anew each time."""
    statements: list[Any] = []
    await store.publish(ann, named("x"))
    async with database.session() as session:
        search = StoreSearch(session, ann)
        original = session.exec

        async def recorded(statement: Any, **more: Any) -> Any:
            statements.append(statement)
            return await original(statement, **more)

        session.exec = recorded  # type: ignore[method-assign]
        await search.page(StoreFilter(public=True), [(sort.value, True)], offset=0, limit=10)
        text = statements[0].compile(dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True})
        plan = (await original(sa.text(f"EXPLAIN QUERY PLAN {text}"))).all()
    used = " ".join(str(row[3]) for row in plan)
    assert StoreComponentRow.__tablename__ in used
    assert "ix_bedplate_store_component_private_" in used, used
    assert "TEMP B-TREE FOR ORDER BY" not in used, used
    assert (await store.search(ann, Query(sort=((sort, True),)))).total == 1
