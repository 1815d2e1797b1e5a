"""Alembic, driven over an open connection: imported only when it is needed, which at head it is not.

Each function blocks. The transaction is the caller's: Alembic neither begins nor ends one.
"""

import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations.ops import UpgradeOps
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.util import CommandError
from sqlmodel.sql.sqltypes import AutoString

from bedplate.services.database.errors import SchemaError
from bedplate.services.database.models import UTCDateTime
from bedplate.services.database.revisions import History

__all__ = ["context_options", "differences", "downgrade", "new_revision", "upgrade"]


def context_options(connection: sa.Connection, history: History) -> dict[str, Any]:
    """How a history is run, and its tables compared with the models."""
    return {
        "target_metadata": history.metadata,
        "version_table": history.version_table,
        "include_name": history.include_name,
        "render_item": _render_item,
        # SQLite changes a table by copying it.
        "render_as_batch": connection.dialect.name == "sqlite",
        # True of SQLite as well, where the driver does not interfere; Alembic assumes that it does.
        "transactional_ddl": True,
    }


def upgrade(connection: sa.Connection, history: History, revision: str) -> None:
    """Run the revisions up to the given one.

    Raises:
        SchemaError: There is no such revision.
    """
    with _config(connection, history) as config:
        command.upgrade(config, revision)


def downgrade(connection: sa.Connection, history: History, revision: str) -> None:
    """Undo the revisions down to the given one, which stays; ``"base"`` undoes all.

    Raises:
        SchemaError: There is no such revision.
    """
    with _config(connection, history) as config:
        command.downgrade(config, revision)


def differences(connection: sa.Connection, history: History) -> list[str]:
    """What a new revision would do for the tables to be those of the models, one operation each; empty if they are."""
    options = context_options(connection, history)
    context = MigrationContext.configure(connection, opts=options)
    operations = produce_migrations(context, history.metadata).upgrade_ops
    assert operations is not None  # noqa: S101 - always set by produce_migrations
    batch = options["render_as_batch"]
    return [
        render_python_code(
            UpgradeOps([operation]), render_as_batch=batch, render_item=_render_item, migration_context=context
        )
        for operation in operations.ops
    ]


def new_revision(connection: sa.Connection, history: History, message: str, folder: Path | None = None) -> Path:
    """Write a revision that brings the tables to the models, into the given folder or among the others.

    Raises:
        SchemaError: The database is not at head.
    """
    number = f"{int(history.head) + 1:04}"
    with _config(connection, history) as config:
        if folder is not None:
            config.set_main_option("version_locations", f"{history.package}:versions\n{folder}")
        script = command.revision(
            config, message, autogenerate=True, rev_id=number, version_path=folder and str(folder)
        )
    if not isinstance(script, Script):
        raise SchemaError("no revision was written")
    return Path(script.path)


# Alembic keeps the context of the command that runs in a module: two databases of one process take turns.
_one_at_a_time = threading.Lock()


@contextmanager
def _config(connection: sa.Connection, history: History) -> Iterator[Config]:
    config = Config(cmd_opts=Namespace(quiet=True), attributes={"connection": connection, "history": history})
    config.set_main_option("script_location", "bedplate:migrations")
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{history.package}:versions")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    try:
        with _one_at_a_time:
            yield config
    except CommandError as error:
        raise SchemaError(str(error), fix="`bedplate db current` tells where the database is") from error


def _render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    # Revisions must run for ever, whatever becomes of the models: they use SQLAlchemy's own types.
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    return False
