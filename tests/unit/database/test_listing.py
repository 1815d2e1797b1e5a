"""Lists of rows: in pages that nothing shifts, filtered and searched (DB-5)."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import FlowRow, FolderRow, UserRow
from bedplate.services.database.repositories.flow import FLOWS
from bedplate.services.database.repositories.user import USERS
from bedplate.services.errors import InvalidInputError, PermissionDeniedError
from bedplate.services.session import NewFlow
from bedplate.wiring.testing.clients import Clients

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def owner(database: DatabaseService) -> uuid.UUID:
    """A user with a hundred flows, of which several were made at the same moment."""
    async with database.transaction() as session:
        rows = [UserRow(username=name, username_key=name, password_hash="x") for name in ("owner", "another")]
        session.add_all(rows)
        await session.flush()
        for user in rows:
            folder = FolderRow(user_id=user.id, name="project")
            session.add(folder)
            await session.flush()
            for number in range(100):
                session.add(
                    FlowRow(
                        user_id=user.id,
                        folder_id=folder.id,
                        name=f"Flow {number:02}",
                        description="50% of_it" if number % 10 == 0 else "ordinary",
                        is_component=number % 2 == 0,
                        created_at=BEGAN + timedelta(seconds=number // 7),
                    )
                )
        return rows[0].id


async def names(database: DatabaseService, owner: uuid.UUID, **asked: object) -> list[str]:
    found, cursor = [], None
    while True:
        async with database.session() as session:
            page = await FLOWS.page(session, owner, cursor=cursor, **asked)  # type: ignore[arg-type]
        found += [row.name for row in page.rows]
        if (cursor := page.next_cursor) is None:
            return found


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 7, 50, 100, 1000])
async def test_pages_cover_the_list_once_and_in_order(
    database: DatabaseService, owner: uuid.UUID, limit: int, newest_first: bool
) -> None:
    """DB-5: rows of the same moment too, and those of nobody else."""
    found = await names(database, owner, limit=limit, newest_first=newest_first)
    assert len(found) == len(set(found)) == 100
    moments = [int(name.split()[1]) // 7 for name in found]
    assert moments == sorted(moments, reverse=newest_first)


async def test_what_comes_and_goes_shifts_nothing(database: DatabaseService, owner: uuid.UUID) -> None:
    """DB-5: the next page begins where the one before ended, whatever happened meanwhile."""
    async with database.session() as session:
        first = await FLOWS.page(session, owner, limit=10)
    async with database.transaction() as session:
        session.add(FlowRow(user_id=owner, folder_id=first.rows[0].folder_id, name="brand new"))
        await session.exec(sa.delete(FlowRow).where(FlowRow.id == first.rows[-1].id))
    async with database.session() as session:
        second = await FLOWS.page(session, owner, limit=10, cursor=first.next_cursor)
    expected = await names(database, owner)
    seen = [row.name for row in (*first.rows, *second.rows)]
    assert expected[0] == "brand new"
    assert [name for name in seen if name in expected] == expected[1:20]


async def test_filters_and_searches(database: DatabaseService, owner: uuid.UUID) -> None:
    """DB-5: together, over all pages; nothing in a text is a wildcard, and case does not matter."""

    async def numbers(**asked: object) -> list[int]:
        return sorted(int(name.split()[1]) for name in await names(database, owner, limit=4, **asked))

    assert await numbers(where={"is_component": True}) == list(range(0, 100, 2))
    assert await numbers(search="fLOW 3") == list(range(30, 40))
    assert await numbers(search="50%") == list(range(0, 100, 10))
    assert await numbers(search="F_o") == []
    assert await numbers(search="%") == await numbers(search="f_i") == list(range(0, 100, 10))
    assert await numbers(search="ordinary", where={"is_component": False}) == list(range(1, 100, 2))
    assert await numbers(where={"folder_id": uuid.uuid4()}) == await numbers(where={"folder_id": None}) == []
    assert await numbers(where={"access_type": ["PUBLIC"]}) == []
    assert await numbers(where={"access_type": ["PUBLIC", "PRIVATE"]}) == list(range(100))
    async with database.session() as session:
        assert await FLOWS.count(session, owner, search="50%", where={"is_component": True}) == 10
        assert (await FLOWS.page(session, uuid.uuid4())).rows == []


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"limit": 0}, "1 to 1000"), ({"limit": -1}, "1 to 1000"), ({"limit": 1001}, "1 to 1000"),
        ({"cursor": ""}, "was not made here"), ({"cursor": "x"}, "was not made here"),
        ({"cursor": "AAAA" * 1000}, "was not made here"),
        ({"where": {"user_id": 1}}, "not filtered by user_id"), ({"where": {"data": 1, "x": 2}}, "by data, x"),
        ({"search": "x" * 201}, "at most 200"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_refused(
    database: DatabaseService, owner: uuid.UUID, asked: dict[str, object], what: str
) -> None:
    """DB-5: with a typed error; among filters is no owner, so that nobody's rows but one's own are reached."""
    with pytest.raises(InvalidInputError, match=what):
        async with database.session() as session:
            await FLOWS.page(session, owner, **asked)  # type: ignore[arg-type]


@given(st.text(max_size=30))
def test_any_text_can_be_searched_for(text: str) -> None:
    """DB-5: it is always a parameter, never a part of the statement."""
    statement = FLOWS.statement(uuid.UUID(int=1), search=text)
    compiled = statement.compile(dialect=sqlite.dialect())
    assert (
        compiled.string
        == FLOWS.statement(uuid.UUID(int=2), search="x" if text else "").compile(dialect=sqlite.dialect()).string
    )


async def test_no_page_is_sorted_at_run_time(database: DatabaseService, owner: uuid.UUID) -> None:
    """DB-5, DB-3: an index has the order, behind a cursor too."""
    place = (BEGAN, uuid.UUID(int=0))
    for listing, of in ((FLOWS, owner), (USERS, None)):
        for where in (None, place):
            statement = listing.statement(of, place=where).limit(10)
            text = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
            async with database.session() as session:
                plan = await (await session.connection()).exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")
                steps = [row[3] for row in plan.all()]
            assert "INDEX" in steps[0], steps
            # Of users, rows of the very same moment are few.
            assert steps[1:] == [] or (listing is USERS and "RIGHT PART" in steps[1]), steps


async def test_flows_are_browsed(container: ApplicationContainer, user: User) -> None:
    """DB-5: through their service."""
    flows = container.session().flows
    for number in range(5):
        await flows.create(user.id, NewFlow(name=f"flow {number}", data={"nodes": [], "edges": []}))
    first = await flows.browse(user.id, limit=3)
    rest = await flows.browse(user.id, limit=3, cursor=first.next_cursor)
    assert [flow.name for flow in (*first.items, *rest.items)] == [f"flow {number}" for number in (4, 3, 2, 1, 0)]
    assert rest.next_cursor is None
    assert [flow.name for flow in (await flows.browse(user.id, search="W 2", is_component=False)).items] == ["flow 2"]
    assert (await flows.browse(uuid.uuid4())).items == ()


async def test_users_are_browsed_by_superusers_alone(clients: Clients) -> None:
    """DB-5, ALL-4"""
    users = clients.container.auth().users
    for name in ("ada", "bob", "Adam"):
        await clients.user(name)
    superuser = await clients._principal()
    found = await users.browse(superuser, search="AD", is_active=True, limit=1)
    rest = await users.browse(superuser, search="AD", is_active=True, cursor=found.next_cursor)
    assert [user.username for user in (*found.users, *rest.users)] == ["Adam", "ada"]
    tokens = await clients.container.auth().login("bob", "the password of every test user")
    from bedplate.services.auth import Credentials

    bob = await clients.container.auth().verify(Credentials(bearer=tokens.access_token))
    with pytest.raises(PermissionDeniedError):
        await users.browse(bob)
