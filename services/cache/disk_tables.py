"""The tables of the file of the disk backend."""

import sqlite3
from collections.abc import Iterator

__all__ = ["APPLICATION_ID", "IS_DEAD", "TABLES", "VERSION", "statements"]

VERSION = 2
"""Version of the tables below; a file of another version is begun anew."""

APPLICATION_ID = 0x42504341
"""Tells the file from any other SQLite database (``PRAGMA application_id``)."""

TABLES = """
CREATE TABLE entries (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    raw INTEGER NOT NULL,
    data BLOB NOT NULL,
    cost INTEGER NOT NULL,
    due REAL,
    grace REAL NOT NULL,
    gone REAL,
    tags TEXT,
    born INTEGER,
    used INTEGER NOT NULL,
    PRIMARY KEY (namespace, key)
);
CREATE INDEX entries_used ON entries (used);
CREATE INDEX entries_gone ON entries (gone) WHERE gone IS NOT NULL;
CREATE INDEX entries_tagged ON entries (born) WHERE tags IS NOT NULL;
CREATE TABLE usage (namespace TEXT PRIMARY KEY, entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TRIGGER entry_added AFTER INSERT ON entries BEGIN
    INSERT INTO usage VALUES (new.namespace, 1, new.cost)
    ON CONFLICT DO UPDATE SET entries = entries + 1, bytes = bytes + new.cost;
END;
CREATE TRIGGER entry_changed AFTER UPDATE OF cost ON entries WHEN new.cost <> old.cost BEGIN
    UPDATE usage SET bytes = bytes + new.cost - old.cost WHERE namespace = new.namespace;
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entries BEGIN
    UPDATE usage SET entries = entries - 1, bytes = bytes - old.cost WHERE namespace = old.namespace;
END;
CREATE TABLE invalidations (
    namespace TEXT NOT NULL,
    tag TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (namespace, tag)
) WITHOUT ROWID;
CREATE INDEX invalidations_generation ON invalidations (generation);
CREATE TABLE generation (file BLOB NOT NULL, current INTEGER NOT NULL, floor INTEGER NOT NULL);
INSERT INTO generation VALUES (randomblob(16), 0, 0);
"""
"""``due`` is when an entry expires, ``gone`` when its grace is over, too; ``born`` the generation it was made in.

Each invalidation begins a new generation of the whole file, and its row says which tag it ended: an entry is dead if
one of its tags was ended by a later generation than its own. What is made of an older one than ``floor`` cannot be told
from what is dead, as rows that old have been removed; ``file`` tells generations from those of another file.
"""

IS_DEAD = """EXISTS (
    SELECT 1 FROM json_each(entries.tags) AS tag JOIN invalidations AS i
    ON i.namespace = entries.namespace AND i.tag = tag.value WHERE i.generation > entries.born
)"""
"""Whether an entry that has tags was invalidated."""


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: ``executescript`` would commit the open transaction."""
    statement = ""
    for line in script.strip().splitlines():
        statement += f"{line}\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
