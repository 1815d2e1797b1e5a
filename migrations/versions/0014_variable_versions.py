"""Earlier values of variables, and keys of their own for all values."""

import sqlalchemy as sa
from alembic import op

from bedplate.services.database.errors import SchemaError

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bedplate_encryption_key", sa.Column("wrapped", sa.LargeBinary(), nullable=True))
    op.create_table(
        "bedplate_variable_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("variable_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["variable_id"],
            ["bedplate_variable.id"],
            name="fk_bedplate_variable_version_variable_id_bedplate_variable",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["bedplate_user.id"],
            name="fk_bedplate_variable_version_user_id_bedplate_user",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_variable_version"),
        sa.UniqueConstraint("variable_id", "version", name="uq_bedplate_variable_version_variable_id_version"),
    )
    for column in ("created_at", "key_id", "user_id"):
        op.create_index(f"ix_bedplate_variable_version_{column}", "bedplate_variable_version", [column])


def downgrade() -> None:
    # A key of its own cannot be told from none without the column: what is encrypted with one could not be read.
    connection = op.get_bind()
    wrapped = connection.execute(
        sa.text("SELECT count(*) FROM bedplate_encryption_key WHERE wrapped IS NOT NULL")
    ).scalar_one()
    if wrapped:
        raise SchemaError(
            "variables have keys of their own, which older releases cannot read",
            why=f"bedplate_encryption_key has {wrapped} of them, made by `bedplate variables rotate`",
            fix="restore a backup of the time before",
        )
    op.drop_table("bedplate_variable_version")
    op.drop_column("bedplate_encryption_key", "wrapped")
