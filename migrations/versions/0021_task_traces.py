"""The trace that a task is part of."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TABLE = "bedplate_task_run"


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("traceparent", sa.String(), nullable=True))
    op.add_column(_TABLE, sa.Column("tracestate", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column(_TABLE, "tracestate")
    op.drop_column(_TABLE, "traceparent")
