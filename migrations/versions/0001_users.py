"""Users, their API keys and login sessions, and the token of the set-up."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bedplate_user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("username_key", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("profile_image", sa.String(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_superuser", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("store_api_key", sa.String(), nullable=True),
        sa.Column("optins", sa.JSON(), nullable=True),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_user"),
        sa.UniqueConstraint("username_key", name="uq_bedplate_user_username_key"),
    )
    op.create_index("ix_bedplate_user_created_at", "bedplate_user", ["created_at"])
    op.create_table(
        "bedplate_api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("total_uses", sa.Integer(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_api_key_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_api_key"),
        sa.UniqueConstraint("key_hash", name="uq_bedplate_api_key_key_hash"),
    )
    op.create_index("ix_bedplate_api_key_user_id", "bedplate_api_key", ["user_id"])
    op.create_table(
        "bedplate_auth_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("current_jti", sa.String(), nullable=False),
        sa.Column("previous_jti", sa.String(), nullable=True),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_auth_session_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_auth_session"),
    )
    op.create_index("ix_bedplate_auth_session_expires_at", "bedplate_auth_session", ["expires_at"])
    op.create_index("ix_bedplate_auth_session_user_id", "bedplate_auth_session", ["user_id"])
    op.create_table(
        "bedplate_setup_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_setup_token"),
    )


def downgrade() -> None:
    op.drop_table("bedplate_setup_token")
    op.drop_table("bedplate_auth_session")
    op.drop_table("bedplate_api_key")
    op.drop_table("bedplate_user")
