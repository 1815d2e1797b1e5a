"""Scopes of API keys."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bedplate_api_key", sa.Column("scopes", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("bedplate_api_key", "scopes")
