"""Which revision the tables are at, and which ones this release knows; all of it without Alembic."""

import functools
import re
from importlib import resources

import sqlalchemy as sa

from bedplate.services.database.errors import SchemaAheadError, UnknownRevisionError
from bedplate.services.database.models import PREFIX

__all__ = ["VERSION_TABLE", "head", "host_include_name", "include_name", "known_revisions", "read", "require_known"]

VERSION_TABLE = f"{PREFIX}alembic_version"

_FILE = re.compile(r"(\d{4})_\w+\.py")
_version = sa.table(VERSION_TABLE, sa.column("version_num", sa.String))


@functools.cache
def known_revisions() -> tuple[str, ...]:
    """The revisions of this release, oldest first, from the names of their files."""
    files = resources.files("bedplate.migrations").joinpath("versions").iterdir()
    return tuple(sorted(match.group(1) for file in files if (match := _FILE.fullmatch(file.name))))


def head() -> str:
    """The newest revision of this release."""
    return known_revisions()[-1]


def read(connection: sa.Connection) -> str | None:
    """The revision that the tables are at; None where there are none.

    Raises:
        UnknownRevisionError: The version table holds several.
    """
    if not connection.dialect.has_table(connection, VERSION_TABLE):
        return None
    found = connection.execute(sa.select(_version.c.version_num)).scalars().all()
    if len(found) > 1:
        raise UnknownRevisionError(
            "the version table holds several revisions",
            why=f"{VERSION_TABLE} has {', '.join(sorted(found))}",
            fix=f"leave the one that the tables are at, and delete the others from {VERSION_TABLE}",
        )
    return found[0] if found else None


def require_known(revision: str | None) -> None:
    """Refuse tables that another release has made.

    Raises:
        SchemaAheadError: A newer one.
        UnknownRevisionError: None that can be told.
    """
    if revision is None or revision in known_revisions():
        return
    if revision.isdigit() and revision > head():
        raise SchemaAheadError(
            f"the schema is at revision {revision}, which is newer than this release knows",
            why=f"the newest that this release knows is {head()}",
            fix=f"install the release that migrated it, or with that one run: bedplate db downgrade {head()}",
        )
    raise UnknownRevisionError(
        f"the schema is at revision {revision!r}, which no release of Bedplate has",
        why=f"{VERSION_TABLE} says so; known are {known_revisions()[0]} to {head()}",
        fix="restore the database from a backup, or point BEDPLATE_DATABASE__URL to another one",
    )


def include_name(name: str | None, kind: str, _parents: object = None) -> bool:
    """Alembic's ``include_name`` for Bedplate's own history: its tables and no others."""
    return kind != "table" or (name or "").startswith(PREFIX)


def host_include_name(name: str | None, kind: str, _parents: object = None) -> bool:
    """Alembic's ``include_name`` for an application with tables in the same database: all but Bedplate's.

    Without it, ``alembic revision --autogenerate`` of the application proposes to drop them::

        context.configure(connection=connection, target_metadata=..., include_name=host_include_name)
    """
    return kind != "table" or not (name or "").startswith(PREFIX)
