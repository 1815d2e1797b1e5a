"""Make the table of customers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "user",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.String, nullable=False, unique=True),
        sa.Column("account_id", sa.Uuid, nullable=False),
    )
    op.create_index("ix_user_account_id", "user", ["account_id"])


def downgrade() -> None:
    op.drop_table("user")
