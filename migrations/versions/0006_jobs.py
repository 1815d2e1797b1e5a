"""Jobs, their event logs, and the instances that run them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bedplate_instance",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_instance"),
    )
    op.create_index("ix_bedplate_instance_lease_expires_at", "bedplate_instance", ["lease_expires_at"])
    op.create_table(
        "bedplate_job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("instance_id", sa.Uuid(), nullable=True),
        sa.Column("last_event_id", sa.Integer(), nullable=False),
        sa.Column("reserved_event_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["bedplate_flow.id"], name="fk_bedplate_job_flow_id_bedplate_flow", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_job_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_job"),
    )
    op.create_index("ix_bedplate_job_finished_at", "bedplate_job", ["finished_at"])
    op.create_index("ix_bedplate_job_flow_id", "bedplate_job", ["flow_id"])
    op.create_index("ix_bedplate_job_status_instance_id", "bedplate_job", ["status", "instance_id"])
    op.create_index("ix_bedplate_job_user_id_created_at", "bedplate_job", ["user_id", "created_at"])
    op.create_table(
        "bedplate_job_event",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("first_seq", sa.Integer(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["bedplate_job.id"], name="fk_bedplate_job_event_job_id_bedplate_job", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "seq", name="pk_bedplate_job_event"),
    )


def downgrade() -> None:
    op.drop_table("bedplate_job_event")
    op.drop_table("bedplate_job")
    op.drop_table("bedplate_instance")
