"""Whose turn it is in a session, and until when."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TABLE = "bedplate_flow_session"


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("run_holder", sa.Uuid(), nullable=True))
    op.add_column(_TABLE, sa.Column("run_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column(_TABLE, "run_until")
    op.drop_column(_TABLE, "run_holder")
