"""Indexes for deleting what is old, and for lists of flows."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_INDEXES = (
    ("message", ("timestamp",)),
    ("trace", ("started_at",)),
    ("transaction", ("timestamp",)),
    ("vertex_build", ("timestamp",)),
    ("flow", ("user_id", "created_at", "id")),
)


def upgrade() -> None:
    for table, columns in _INDEXES:
        op.create_index(_name(table, columns), f"bedplate_{table}", list(columns))


def downgrade() -> None:
    for table, columns in _INDEXES:
        op.drop_index(_name(table, columns), table_name=f"bedplate_{table}")


def _name(table: str, columns: tuple[str, ...]) -> str:
    return f"ix_bedplate_{table}_{'_'.join(columns)}"
