"""Users of an OpenID Connect issuer."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bedplate_identity",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_identity_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_identity"),
        sa.UniqueConstraint("issuer", "subject", name="uq_bedplate_identity_issuer_subject"),
    )
    op.create_index("ix_bedplate_identity_user_id", "bedplate_identity", ["user_id"])


def downgrade() -> None:
    op.drop_table("bedplate_identity")
