"""Run by Alembic for every command on a history, Bedplate's or a plug-in's, over a connection of the caller's."""

import sqlalchemy as sa
from alembic import context

from bedplate.services.database.alembic_commands import context_options
from bedplate.services.database.errors import SchemaError

connection = context.config.attributes.get("connection")
if not isinstance(connection, sa.Connection):
    raise SchemaError(
        "Bedplate's migrations run over a connection of its database service", fix="use: bedplate db upgrade"
    )
context.configure(connection=connection, **context_options(connection, context.config.attributes["history"]))
with context.begin_transaction():
    context.run_migrations()
