"""The tags in the file of the disk backend: which generation ended which. All of it is part of a transaction."""

import sqlite3
from collections.abc import Collection

from bedplate.services.cache.backend import Terms
from bedplate.services.cache.disk_tables import IS_DEAD

__all__ = ["DiskTags"]

KEPT_SECONDS = 600.0
"""How long an invalidation is remembered: what is loaded for longer, and has tags, may not be kept."""

MAX_INVALIDATIONS = 10_000
"""Most invalidations that are remembered between two purges' ends; the oldest are forgotten first."""


class DiskTags:
    """Generations and invalidations of one file.

    Args:
        db: The connection.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def generation(self) -> int:
        """The present one."""
        return int(self._db.execute("SELECT current FROM generation").fetchone()[0])

    def moment(self) -> object:
        """The present generation, of this file."""
        return tuple(self._db.execute("SELECT file, current FROM generation").fetchone())

    def born(self, namespace: str, terms: Terms) -> int | None:
        """The generation that an item of these terms is of; None: it is dead already, or nobody can tell any more."""
        file, current, floor = self._db.execute("SELECT file, current, floor FROM generation").fetchone()
        if not isinstance(terms.since, tuple):
            return int(current)
        made_in, generation = terms.since
        if made_in != file or generation < floor:
            return None
        marks = ", ".join("?" * len(terms.tags))
        ended = f"SELECT 1 FROM invalidations WHERE namespace = ? AND generation > ? AND tag IN ({marks})"  # noqa: S608
        dead = self._db.execute(ended, (namespace, generation, *terms.tags)).fetchone() is not None
        return None if dead else int(generation)

    def invalidate(self, namespace: str, tags: Collection[str], now: float) -> None:
        """End the tags by a new generation."""
        self._db.execute("UPDATE generation SET current = current + 1")
        current = self.generation()
        self._db.executemany(
            "INSERT OR REPLACE INTO invalidations VALUES (?, ?, ?, ?)",
            [(namespace, tag, current, now) for tag in tags],
        )

    def remove_dead(self) -> None:
        """Remove the entries that were invalidated."""
        latest = self._db.execute("SELECT max(generation) FROM invalidations").fetchone()[0]
        if latest is not None:
            self._db.execute(
                f"DELETE FROM entries WHERE tags IS NOT NULL AND born < ? AND {IS_DEAD}",  # noqa: S608 - a constant
                (latest,),
            )

    def forget(self, now: float) -> None:
        """Forget the invalidations that are old, or too many, once there is no dead entry."""
        too_many = "SELECT generation FROM invalidations ORDER BY generation DESC LIMIT 1 OFFSET ?"
        row = self._db.execute(too_many, (MAX_INVALIDATIONS,)).fetchone()
        old = self._db.execute(
            "SELECT max(generation) FROM invalidations WHERE at <= ? OR generation <= ?",
            (now - KEPT_SECONDS, -1 if row is None else row[0]),
        ).fetchone()[0]
        if old is not None:
            self._db.execute("DELETE FROM invalidations WHERE generation <= ?", (old,))
            self._db.execute("UPDATE generation SET floor = max(floor, ?)", (old,))
