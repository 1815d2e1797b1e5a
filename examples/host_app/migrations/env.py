"""The Alembic environment of the application: an ordinary one, but for the line that leaves Bedplate's tables alone."""

import sqlalchemy as sa
from alembic import context
from examples.host_app import models
from sqlmodel import SQLModel

from bedplate.services.database.revisions import host_include_name

assert models.User.metadata is SQLModel.metadata  # imported for its tables

engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url", ""))
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, include_name=host_include_name)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
