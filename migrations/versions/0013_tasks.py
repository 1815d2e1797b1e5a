"""Runs of tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bedplate_task_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("unique_key", sa.String(), nullable=True),
        sa.Column("key_kept", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("timeout", sa.Float(), nullable=False),
        sa.Column("instance_id", sa.Uuid(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_task_run_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_task_run"),
        sa.UniqueConstraint("unique_key", name="uq_bedplate_task_run_unique_key"),
    )
    op.create_index("ix_bedplate_task_run_finished_at", "bedplate_task_run", ["finished_at"])
    op.create_index("ix_bedplate_task_run_status_run_at", "bedplate_task_run", ["status", "run_at"])
    op.create_index("ix_bedplate_task_run_user_id_created_at", "bedplate_task_run", ["user_id", "created_at"])


def downgrade() -> None:
    op.drop_table("bedplate_task_run")
