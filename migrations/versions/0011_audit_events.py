"""The audit log, which nobody can change."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_DAYS = 30
"""Events younger than this cannot be deleted either; older ones go when their retention is over."""

_TRIGGERS = {
    "no_update": "BEFORE UPDATE ON bedplate_audit_event",
    "no_delete": "BEFORE DELETE ON bedplate_audit_event"
    f" WHEN OLD.at > strftime('%Y-%m-%d %H:%M:%f', 'now', '-{_DAYS} days')",
    # INSERT OR REPLACE deletes without a trigger.
    "no_replace": "BEFORE INSERT ON bedplate_audit_event"
    " WHEN EXISTS (SELECT 1 FROM bedplate_audit_event WHERE id = NEW.id)",
}


_POSTGRES = f"""
CREATE FUNCTION bedplate_audit_event_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at <= now() - interval '{_DAYS} days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER bedplate_audit_event_keep BEFORE UPDATE OR DELETE ON bedplate_audit_event
    FOR EACH ROW EXECUTE FUNCTION bedplate_audit_event_keep();
CREATE TRIGGER bedplate_audit_event_no_truncate BEFORE TRUNCATE ON bedplate_audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION bedplate_audit_event_keep();
"""


def upgrade() -> None:
    op.create_table(
        "bedplate_audit_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("target_id", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_audit_event"),
    )
    for columns in (["at", "id"], ["kind", "at", "id"], ["user_id", "at", "id"], ["actor_id", "at", "id"]):
        op.create_index(f"ix_bedplate_audit_event_{'_'.join(columns)}", "bedplate_audit_event", columns)
    if op.get_bind().dialect.name == "sqlite":
        for name, event in _TRIGGERS.items():
            op.execute(
                f"CREATE TRIGGER bedplate_audit_event_{name} {event}"
                " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
    else:
        op.execute(_POSTGRES)


def downgrade() -> None:
    op.drop_table("bedplate_audit_event")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION bedplate_audit_event_keep()")
