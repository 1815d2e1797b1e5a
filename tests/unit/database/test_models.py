"""What every row has in common."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, metadata, new_id
from bedplate.services.database.models.base import Table


def user(**values: object) -> UserRow:
    return UserRow(username="ada", username_key="ada", password_hash="$argon2id$", **values)


async def test_times_are_stored_in_utc_and_come_back_aware(database: DatabaseService) -> None:
    """DB-3: whatever zone they were given in."""
    moment = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    async with database.transaction() as session:
        session.add(user(last_login_at=moment))
    async with database.session() as session:
        stored = (await session.exec(select(UserRow))).one().last_login_at
        text = (await session.exec(select(sa.cast(UserRow.last_login_at, sa.String)))).one()
    assert stored == moment
    assert stored.tzinfo is UTC
    assert text == "2026-05-03 21:32:01.123456"


async def test_a_time_without_zone_is_refused(database: DatabaseService) -> None:
    """DB-3: nobody could say later what it meant."""
    with pytest.raises(StatementError, match="naive datetime"):
        async with database.transaction() as session:
            session.add(user(last_login_at=datetime(2026, 5, 4)))  # noqa: DTZ001 - the point of the test
    async with database.session() as session:
        assert (await session.exec(select(UserRow))).all() == []


@pytest.mark.parametrize(
    "value",
    [{"n": 2**70, "f": 0.1, "deep": [{"a": None, "b": [True, ""]}]}, {"text": "ü€😀"}, {"cut": "half a pair \ud83d"}],
)
async def test_json_comes_back_as_it_was(database: DatabaseService, value: dict[str, object]) -> None:
    """DB-3: exactly, large numbers and broken text included."""
    async with database.transaction() as session:
        session.add(user(optins=value))
    async with database.session() as session:
        assert (await session.exec(select(UserRow.optins))).one() == value


async def test_numbers_that_json_has_not_become_null(database: DatabaseService) -> None:
    """DB-3: what other databases would refuse is not stored."""
    async with database.transaction() as session:
        session.add(user(optins={"x": float("nan"), "y": float("inf")}))
    async with database.session() as session:
        assert (await session.exec(select(UserRow.optins))).one() == {"x": None, "y": None}


def test_ids_increase_with_time() -> None:
    """DB-3: version 7, so that new rows go to the end of the index."""
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert {made.version for made in ids} == {7}


@pytest.mark.parametrize(
    "kind",
    sorted((mapper.class_ for mapper in Table._sa_registry.mappers), key=lambda kind: kind.__name__),
    ids=lambda kind: kind.__name__,
)
def test_a_row_shows_its_key_alone(kind: type[Table]) -> None:
    """ALL-3: no column beside it, be it a hash, a ciphertext or a token, in repr, str or a rich console."""
    row = kind()
    for column in kind.__table__.columns:
        if not column.primary_key:
            setattr(row, column.name, "do-not-show")
    for text in (repr(row), str(row), repr(list(row.__rich_repr__()))):
        assert "do-not-show" not in text
    assert repr(row).startswith(f"{kind.__name__}(")


async def test_no_logger_shows_a_parameter(database: DatabaseService, caplog: pytest.LogCaptureFixture) -> None:
    """ALL-3: neither the driver's nor SQLAlchemy's, at any level."""
    with caplog.at_level("DEBUG"):
        async with database.transaction() as session:
            session.add(user())
            await session.flush()
            await session.exec(select(UserRow).where(UserRow.password_hash == "$argon2id$"))
    assert any(record.name == "aiosqlite" for record in caplog.records)
    assert "argon2id" not in caplog.text


def test_columns_that_must_not_be_guessed_are_hashed() -> None:
    """ALL-3: no table has a column for a password, key or token in clear."""
    names = {column.name for table in metadata.tables.values() for column in table.columns}
    assert not names & {"password", "api_key", "token", "secret", "refresh_token"}
