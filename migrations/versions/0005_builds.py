"""What vertices received and gave, and the results of building them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bedplate_transaction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("vertex_id", sa.String(), nullable=False),
        sa.Column("target_id", sa.String(), nullable=True),
        sa.Column("inputs", sa.JSON(), nullable=True),
        sa.Column("outputs", sa.JSON(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["bedplate_flow.id"], name="fk_bedplate_transaction_flow_id_bedplate_flow", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_transaction_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_transaction"),
    )
    op.create_index(
        "ix_bedplate_transaction_flow_id_timestamp_id", "bedplate_transaction", ["flow_id", "timestamp", "id"]
    )
    op.create_index("ix_bedplate_transaction_run_id", "bedplate_transaction", ["run_id"])
    op.create_index("ix_bedplate_transaction_user_id", "bedplate_transaction", ["user_id"])
    op.create_table(
        "bedplate_vertex_build",
        sa.Column("build_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.Column("artifacts", sa.JSON(), nullable=True),
        sa.Column("params", sa.Text(), nullable=True),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["bedplate_flow.id"], name="fk_bedplate_vertex_build_flow_id_bedplate_flow", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bedplate_user.id"], name="fk_bedplate_vertex_build_user_id_bedplate_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("build_id", name="pk_bedplate_vertex_build"),
    )
    op.create_index(
        "ix_bedplate_vertex_build_flow_id_timestamp_build_id",
        "bedplate_vertex_build",
        ["flow_id", "timestamp", "build_id"],
    )
    op.create_index("ix_bedplate_vertex_build_run_id", "bedplate_vertex_build", ["run_id"])
    op.create_index("ix_bedplate_vertex_build_user_id", "bedplate_vertex_build", ["user_id"])


def downgrade() -> None:
    op.drop_table("bedplate_vertex_build")
    op.drop_table("bedplate_transaction")
