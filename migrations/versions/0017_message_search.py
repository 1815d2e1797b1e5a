"""Full-text search of chat messages."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# The index holds no text of its own: it reads it from the message, by a number that stays when SQLite packs the file
# (a rowid without a column of its own does not). A revision that makes the table of messages anew must make the
# triggers anew too, since SQLite drops them with it.
_SQLITE = (
    """
    CREATE TABLE bedplate_message_search_key (
        number INTEGER NOT NULL PRIMARY KEY, message_id CHAR(32) NOT NULL UNIQUE
    )
    """,
    """
    CREATE VIEW bedplate_message_search_text AS
    SELECT key.number, message.user_id AS owner, substr(message.text, 1, 100000) AS text
    FROM bedplate_message_search_key AS key JOIN bedplate_message AS message ON message.id = key.message_id
    """,
    """
    CREATE VIRTUAL TABLE bedplate_message_search USING fts5(
        owner, text, content='bedplate_message_search_text', content_rowid='number',
        tokenize='unicode61 remove_diacritics 2'
    )
    """,
    "INSERT INTO bedplate_message_search_key (message_id) SELECT id FROM bedplate_message ORDER BY id",
    "INSERT INTO bedplate_message_search (bedplate_message_search) VALUES ('rebuild')",
    """
    CREATE TRIGGER bedplate_message_search_insert AFTER INSERT ON bedplate_message BEGIN
        INSERT INTO bedplate_message_search_key (message_id) VALUES (new.id);
        INSERT INTO bedplate_message_search (rowid, owner, text)
        SELECT number, new.user_id, substr(new.text, 1, 100000)
        FROM bedplate_message_search_key WHERE message_id = new.id;
    END
    """,
    """
    CREATE TRIGGER bedplate_message_search_update AFTER UPDATE OF text, user_id ON bedplate_message
    WHEN new.text IS NOT old.text OR new.user_id IS NOT old.user_id BEGIN
        INSERT INTO bedplate_message_search (bedplate_message_search, rowid, owner, text)
        SELECT 'delete', number, old.user_id, substr(old.text, 1, 100000)
        FROM bedplate_message_search_key WHERE message_id = old.id;
        INSERT INTO bedplate_message_search (rowid, owner, text)
        SELECT number, new.user_id, substr(new.text, 1, 100000)
        FROM bedplate_message_search_key WHERE message_id = new.id;
    END
    """,
    """
    CREATE TRIGGER bedplate_message_search_delete AFTER DELETE ON bedplate_message BEGIN
        INSERT INTO bedplate_message_search (bedplate_message_search, rowid, owner, text)
        SELECT 'delete', number, old.user_id, substr(old.text, 1, 100000)
        FROM bedplate_message_search_key WHERE message_id = old.id;
        DELETE FROM bedplate_message_search_key WHERE message_id = old.id;
    END
    """,
)
_SQLITE_DOWN = (
    *(f"DROP TRIGGER bedplate_message_search_{event}" for event in ("insert", "update", "delete")),
    "DROP TABLE bedplate_message_search",
    "DROP VIEW bedplate_message_search_text",
    "DROP TABLE bedplate_message_search_key",
)
_POSTGRES = (
    "CREATE INDEX bedplate_message_search ON bedplate_message USING gin (to_tsvector('simple', left(text, 100000)))"
)


def upgrade() -> None:
    for statement in _SQLITE if _on_sqlite() else (_POSTGRES,):
        op.execute(statement)


def downgrade() -> None:
    for statement in _SQLITE_DOWN if _on_sqlite() else ("DROP INDEX bedplate_message_search",):
        op.execute(statement)


def _on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
