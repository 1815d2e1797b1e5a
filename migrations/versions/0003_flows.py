"""Projects, flows and the sessions of their execution."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bedplate_folder",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("auth_settings", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["bedplate_folder.id"],
            name="fk_bedplate_folder_parent_id_bedplate_folder",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_folder_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_folder"),
        sa.UniqueConstraint("user_id", "name", name="uq_bedplate_folder_user_id_name"),
    )
    op.create_index("ix_bedplate_folder_parent_id", "bedplate_folder", ["parent_id"])
    op.create_table(
        "bedplate_flow",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("folder_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("icon", sa.String(), nullable=True),
        sa.Column("icon_bg_color", sa.String(), nullable=True),
        sa.Column("gradient", sa.String(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.Column("is_component", sa.Boolean(), nullable=False),
        sa.Column("webhook", sa.Boolean(), nullable=False),
        sa.Column("endpoint_name", sa.String(), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=True),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("mcp_enabled", sa.Boolean(), nullable=False),
        sa.Column("action_name", sa.String(), nullable=True),
        sa.Column("action_description", sa.Text(), nullable=True),
        sa.Column("access_type", sa.String(), nullable=False),
        sa.Column("fs_path", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["bedplate_folder.id"], name="fk_bedplate_flow_folder_id_bedplate_folder", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_flow_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_flow"),
        sa.UniqueConstraint("user_id", "endpoint_name", name="uq_bedplate_flow_user_id_endpoint_name"),
        sa.UniqueConstraint("user_id", "name", name="uq_bedplate_flow_user_id_name"),
    )
    op.create_index("ix_bedplate_flow_endpoint_name", "bedplate_flow", ["endpoint_name"])
    op.create_index("ix_bedplate_flow_folder_id_updated_at", "bedplate_flow", ["folder_id", "updated_at"])
    op.create_index("ix_bedplate_flow_user_id_updated_at", "bedplate_flow", ["user_id", "updated_at"])
    op.create_table(
        "bedplate_flow_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_active_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["bedplate_flow.id"], name="fk_bedplate_flow_session_flow_id_bedplate_flow", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_flow_session_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_flow_session"),
        sa.UniqueConstraint(
            "user_id", "flow_id", "session_id", name="uq_bedplate_flow_session_user_id_flow_id_session_id"
        ),
    )
    op.create_index("ix_bedplate_flow_session_flow_id", "bedplate_flow_session", ["flow_id"])
    op.create_index("ix_bedplate_flow_session_last_active_at", "bedplate_flow_session", ["last_active_at"])
    op.create_index("ix_bedplate_flow_session_user_id_session_id", "bedplate_flow_session", ["user_id", "session_id"])


def downgrade() -> None:
    op.drop_table("bedplate_flow_session")
    op.drop_table("bedplate_flow")
    op.drop_table("bedplate_folder")
