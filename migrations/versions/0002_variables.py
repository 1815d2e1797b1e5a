"""Variables and the keys that they are encrypted with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bedplate_encryption_key",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("canary", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_bedplate_encryption_key"),
    )
    op.create_table(
        "bedplate_variable",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("default_fields", sa.JSON(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_variable_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_variable"),
        sa.UniqueConstraint("user_id", "name", name="uq_bedplate_variable_user_id_name"),
    )
    op.create_index("ix_bedplate_variable_key_id", "bedplate_variable", ["key_id"])


def downgrade() -> None:
    op.drop_table("bedplate_variable")
    op.drop_table("bedplate_encryption_key")
