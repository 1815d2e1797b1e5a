"""The store: components, their versions, tags and likes."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COMPONENT = "bedplate_store_component"


def upgrade() -> None:
    op.create_table(
        _COMPONENT,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_component", sa.Boolean(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("latest", sa.String(), nullable=True),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            [f"{_COMPONENT}.id"],
            name="fk_bedplate_store_component_parent_id_bedplate_store_component",
            ondelete="SET NULL",
        ),
        _owner(_COMPONENT),
        sa.PrimaryKeyConstraint("id", name="pk_bedplate_store_component"),
        sa.UniqueConstraint("user_id", "slug", name="uq_bedplate_store_component_user_id_slug"),
    )
    op.create_index("ix_bedplate_store_component_parent_id", _COMPONENT, ["parent_id"])
    for column in ("name_key", "created_at", "updated_at", "downloads"):
        op.create_index(f"ix_bedplate_store_component_private_{column}", _COMPONENT, ["private", column])
    op.create_table(
        "bedplate_store_version",
        sa.Column("component_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("last_tested_version", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("yanked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("yank_reason", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        _component("bedplate_store_version"),
        sa.PrimaryKeyConstraint("component_id", "version", name="pk_bedplate_store_version"),
    )
    op.create_table(
        "bedplate_store_tag",
        sa.Column("component_id", sa.Uuid(), nullable=False),
        sa.Column("tag_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        _component("bedplate_store_tag"),
        sa.PrimaryKeyConstraint("component_id", "tag_id", name="pk_bedplate_store_tag"),
    )
    op.create_index("ix_bedplate_store_tag_tag_id", "bedplate_store_tag", ["tag_id"])
    op.create_table(
        "bedplate_store_like",
        sa.Column("component_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _component("bedplate_store_like"),
        _owner("bedplate_store_like"),
        sa.PrimaryKeyConstraint("component_id", "user_id", name="pk_bedplate_store_like"),
    )
    op.create_index("ix_bedplate_store_like_user_id", "bedplate_store_like", ["user_id"])


def downgrade() -> None:
    for table in ("bedplate_store_like", "bedplate_store_tag", "bedplate_store_version", _COMPONENT):
        op.drop_table(table)


def _owner(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["bedplate_user.id"], name=f"fk_{table}_user_id_bedplate_user", ondelete="CASCADE"
    )


def _component(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["component_id"], [f"{_COMPONENT}.id"], name=f"fk_{table}_component_id_{_COMPONENT}", ondelete="CASCADE"
    )
