"""Run by Alembic for every command on Bedplate's history; the connection and its transaction are the caller's."""

import sqlalchemy as sa
from alembic import context

from bedplate.services.database.alembic_commands import context_options
from bedplate.services.database.errors import SchemaError

connection = context.config.attributes.get("connection")
if not isinstance(connection, sa.Connection):
    raise SchemaError(
        "Bedplate's migrations run over a connection of its database service", fix="use: bedplate db upgrade"
    )
context.configure(connection=connection, **context_options(connection))
with context.begin_transaction():
    context.run_migrations()
