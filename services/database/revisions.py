"""Which revision the tables are at, and which ones this release knows; all of it without Alembic."""

import functools
import re
from importlib import resources

import msgspec
import sqlalchemy as sa

from bedplate.services.database.errors import SchemaAheadError, UnknownRevisionError
from bedplate.services.database.models import PREFIX, metadata

__all__ = ["OWN", "VERSION_TABLE", "History", "forget_revisions", "head", "host_include_name", "known_revisions"]

_FILE = re.compile(r"(\d{4})_\w+\.py")
_SEARCH = f"{PREFIX}message_search"  # the full-text index, which is made and kept by its revision
_PREFIX = re.compile(r"[a-z][a-z0-9_]*_")


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A line of revisions: that of Bedplate, or one that a plug-in has beside it in the same database.

    Each is a branch of its own with a version table of its own, so that neither hinders the other, whichever is
    installed, upgraded or removed.

    Attributes:
        name: What it belongs to, for people.
        package: The package with the folder ``versions``, whose files are called ``0001_what_it_does.py`` and so on;
            the number is the id of the revision.
        prefix: How the names of all its tables begin; no other tables are looked at.
        metadata: The tables as the models have them.
    """

    name: str
    package: str
    prefix: str
    metadata: sa.MetaData

    def __post_init__(self) -> None:
        own = self.name == "bedplate"
        if not _PREFIX.fullmatch(self.prefix) or (self.prefix.startswith(PREFIX) and not own):
            raise ValueError(f"{self.prefix!r} is no prefix for tables of {self.name}: use a word and an underscore")

    @property
    def version_table(self) -> str:
        """The table that holds the revision."""
        return f"{self.prefix}alembic_version"

    @property
    def revisions(self) -> tuple[str, ...]:
        """The revisions of this release, oldest first."""
        return _revisions_in(self.package)

    @property
    def head(self) -> str:
        """The newest revision of this release."""
        return self.revisions[-1]

    def read(self, connection: sa.Connection) -> str | None:
        """The revision that the tables are at; None where there are none.

        Raises:
            UnknownRevisionError: The version table holds several.
        """
        table = self.version_table
        if not connection.dialect.has_table(connection, table):
            return None
        version = sa.table(table, sa.column("version_num", sa.String))
        found = connection.execute(sa.select(version.c.version_num)).scalars().all()
        if len(found) > 1:
            raise UnknownRevisionError(
                "the version table holds several revisions",
                why=f"{table} has {', '.join(sorted(found))}",
                fix=f"leave the one that the tables are at, and delete the others from {table}",
            )
        return found[0] if found else None

    def require_known(self, revision: str | None) -> None:
        """Refuse tables that another release has made.

        Raises:
            SchemaAheadError: A newer one.
            UnknownRevisionError: None that can be told.
        """
        if revision is None or revision in self.revisions:
            return
        if revision.isdigit() and revision > self.head:
            raise SchemaAheadError(
                f"the schema is at revision {revision}, which is newer than this release knows",
                why=f"the newest that this release of {self.name} knows is {self.head}",
                fix=f"install the release that migrated it, or with that one run: bedplate db downgrade {self.head}",
            )
        raise UnknownRevisionError(
            f"the schema is at revision {revision!r}, which no release of {self.name.capitalize()} has",
            why=f"{self.version_table} says so; known are {self.revisions[0]} to {self.head}",
            fix="restore the database from a backup, or point BEDPLATE_DATABASE__URL to another one",
        )

    def include_name(self, name: str | None, kind: str, _parents: object = None) -> bool:
        """Alembic's ``include_name``: the tables of this history and no others, without what no model can describe."""
        if kind in ("table", "index") and (name or "").startswith(_SEARCH):
            return False
        return kind != "table" or (name or "").startswith(self.prefix)


def forget_revisions() -> None:
    """Look for the files of revisions anew when they are asked for next."""
    _revisions_in.cache_clear()


@functools.cache
def _revisions_in(package: str) -> tuple[str, ...]:
    """The revisions of a package, oldest first, from the names of their files."""
    files = resources.files(package).joinpath("versions").iterdir()
    return tuple(sorted(match.group(1) for file in files if (match := _FILE.fullmatch(file.name))))


OWN = History(name="bedplate", package="bedplate.migrations", prefix=PREFIX, metadata=metadata)
"""The history of Bedplate's own tables."""

VERSION_TABLE = OWN.version_table
"""The table that holds the revision of Bedplate's own tables."""


def known_revisions() -> tuple[str, ...]:
    """The revisions of Bedplate's own tables, oldest first."""
    return OWN.revisions


def head() -> str:
    """The newest revision of Bedplate's own tables."""
    return OWN.head


def host_include_name(name: str | None, kind: str, _parents: object = None) -> bool:
    """Alembic's ``include_name`` for an application with tables in the same database: all but Bedplate's.

    Without it, ``alembic revision --autogenerate`` of the application proposes to drop them::

        context.configure(connection=connection, target_metadata=..., include_name=host_include_name)
    """
    return kind != "table" or not (name or "").startswith(PREFIX)
