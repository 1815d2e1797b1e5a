"""When a run of a task was last announced to workers, for backends that carry ids to them."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_TABLE = "bedplate_task_run"


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_bedplate_task_run_status_run_at_announced_at", _TABLE, ["status", "run_at", "announced_at"])
    op.drop_index("ix_bedplate_task_run_status_run_at", _TABLE)


def downgrade() -> None:
    op.create_index("ix_bedplate_task_run_status_run_at", _TABLE, ["status", "run_at"])
    op.drop_index("ix_bedplate_task_run_status_run_at_announced_at", _TABLE)
    op.drop_column(_TABLE, "announced_at")
