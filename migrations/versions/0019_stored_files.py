"""Files whose content is kept as objects elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bedplate_stored_file",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("of_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("info", sa.LargeBinary(), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_bedplate_stored_file"),
        sa.UniqueConstraint(
            "owner_id", "kind", "of_id", "name", name="uq_bedplate_stored_file_owner_id_kind_of_id_name"
        ),
    )
    op.create_table(
        "bedplate_stored_waste",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("uploading", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_bedplate_stored_waste"),
    )
    op.create_index("ix_bedplate_stored_waste_due_at", "bedplate_stored_waste", ["due_at"])


def downgrade() -> None:
    op.drop_table("bedplate_stored_waste")
    op.drop_table("bedplate_stored_file")
