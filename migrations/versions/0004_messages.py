"""Chat messages."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bedplate_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("sender_name", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("error", sa.Boolean(), nullable=False),
        sa.Column("edit", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("content_blocks", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["bedplate_flow.id"], name="fk_bedplate_message_flow_id_bedplate_flow", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_message_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_message"),
    )
    op.create_index("ix_bedplate_message_flow_id", "bedplate_message", ["flow_id"])
    op.create_index("ix_bedplate_message_run_id", "bedplate_message", ["run_id"])
    op.create_index(
        "ix_bedplate_message_user_id_flow_id_timestamp_id",
        "bedplate_message",
        ["user_id", "flow_id", "timestamp", "id"],
    )
    op.create_index(
        "ix_bedplate_message_user_id_session_id_timestamp_id",
        "bedplate_message",
        ["user_id", "session_id", "timestamp", "id"],
    )


def downgrade() -> None:
    op.drop_table("bedplate_message")
