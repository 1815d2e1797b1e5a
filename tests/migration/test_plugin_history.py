"""A plug-in with tables of its own: a branch of revisions beside Bedplate's, in the same database, failing alone."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import SchemaAheadError, SchemaError
from bedplate.services.database.models import UserRow
from bedplate.services.database.revisions import OWN, History, forget_revisions

FIRST = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = ("weather",)


def upgrade():
    op.create_table(
        "weather_station",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["bedplate_user.id"], name="fk_station_user", ondelete="CASCADE"),
    )


def downgrade():
    op.drop_table("weather_station")
"""
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    with op.batch_alter_table("weather_station") as table:
        table.add_column(sa.Column("name", sa.String))


def downgrade():
    with op.batch_alter_table("weather_station") as table:
        table.drop_column("name")
"""
BROKEN = SECOND.replace('"0002"', '"0003"').replace('"0001"', '"0002"').replace("table.add_column", "table.no_such")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """The history of an installed plug-in with two revisions."""
    versions = tmp_path / "site" / "weather_tables" / "versions"
    versions.mkdir(parents=True)
    (versions.parent / "__init__.py").touch()
    (versions / "0001_stations.py").write_text(FIRST)
    (versions / "0002_names.py").write_text(SECOND)
    monkeypatch.syspath_prepend(tmp_path / "site")
    metadata = sa.MetaData()
    sa.Table(
        "weather_station",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "user_id",
            sa.Uuid,
            sa.ForeignKey(sa.inspect(UserRow).columns["id"], name="fk_station_user", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("name", sa.String),
    )
    yield History(name="weather", package="weather_tables", prefix="weather_", metadata=metadata)
    forget_revisions()
    sys.modules.pop("weather_tables", None)


async def test_it_is_migrated_beside_bedplates_tables(database: DatabaseService, history: History) -> None:
    """DB-4: neither history sees the other."""
    migrations = database.migrations_of(history)
    assert await migrations.current() is None
    await migrations.at_start()
    await migrations.at_start()  # nothing to do
    assert await migrations.current() == "0002"
    assert await database.migrations.current() == OWN.head
    assert await database.migrations.check() == []
    assert await migrations.check() == []
    await migrations.downgrade("base")
    assert await migrations.current() is None
    assert await database.migrations.check() == []


async def test_a_revision_that_fails_is_undone_and_harms_nothing_else(
    database: DatabaseService, history: History, tmp_path: Path
) -> None:
    """DB-4"""
    migrations = database.migrations_of(history)
    await migrations.upgrade()
    (tmp_path / "site" / "weather_tables" / "versions" / "0003_broken.py").write_text(BROKEN)
    forget_revisions()
    with pytest.raises((SchemaError, AttributeError)):
        await migrations.at_start()
    assert await migrations.current() == "0002"
    assert await database.migrations.check() == []


async def test_an_older_release_of_the_plug_in_is_refused_by_name(
    database: DatabaseService, history: History, tmp_path: Path
) -> None:
    """DB-4"""
    await database.migrations_of(history).upgrade()
    (tmp_path / "site" / "weather_tables" / "versions" / "0002_names.py").unlink()
    forget_revisions()
    with pytest.raises(SchemaAheadError, match="newest that this release of weather knows is 0001"):
        await database.migrations_of(history).at_start()


@pytest.mark.parametrize("prefix", ["bedplate_weather_", "Weather_", "weather", ""])
def test_a_prefix_that_would_mix_tables(prefix: str) -> None:
    """DB-3"""
    with pytest.raises(ValueError, match="is no prefix"):
        History(name="weather", package="weather_tables", prefix=prefix, metadata=sa.MetaData())
