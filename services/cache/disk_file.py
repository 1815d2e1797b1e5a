"""The file of the disk backend: one SQLite database, used from one worker thread."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from bedplate.services.cache.backend import Limits, Stale, Terms, Usage, cost_of
from bedplate.services.cache.disk_tables import APPLICATION_ID, IS_DEAD, TABLES, VERSION, statements
from bedplate.services.cache.disk_tags import DiskTags
from bedplate.services.cache.models import Item

__all__ = ["CacheFile"]

_PUT = """
INSERT INTO entries VALUES (:namespace, :key, :raw, :data, :cost, :due, :grace, :gone, :tags, :born, :used)
ON CONFLICT DO UPDATE SET raw = :raw, data = :data, cost = :cost, due = :due, grace = :grace, gone = :gone,
    tags = :tags, born = :born
RETURNING used
"""
# Of an entry that is replaced, the use is noted like that of one that is read: its index would cost too much here.

_KEPT = f"namespace = ? AND key = ? AND (tags IS NULL OR NOT {IS_DEAD})"
_LIVE = f"{_KEPT} AND (due IS NULL OR due > ?)"
_STALE = f"{_KEPT} AND (gone IS NULL OR gone > ?)"

MAX_UNWRITTEN_USES = 1_000
"""Uses of entries kept in memory before they are written down."""

MAX_FREED_PAGES = 4_000
"""Pages (of 4 KiB) given back to the file system in one purge, so that none takes long."""


class CacheFile:
    """Reads and writes entries; every method blocks, and is one transaction.

    Several processes may use one file: bounds and totals are kept in the file.

    Args:
        path: The file.
        limits: How much to keep.
        busy_timeout: Seconds to wait for another process that is writing.
        clock: Seconds of wall-clock time, as entries outlive the process.
    """

    def __init__(self, path: Path, limits: Limits, *, busy_timeout: float, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._tick = 0
        self._uses: dict[tuple[str, str], int] = {}
        self._db = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
        self._tags = DiskTags(self._db)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Write down what was used, and close the file."""
        try:
            with self._writing():
                self._write_uses()
        finally:
            self._db.close()

    def get(self, namespace: str, keys: Sequence[str]) -> dict[str, Item]:
        """The items that are there, now marked as used."""
        found: dict[str, Item] = {}
        for key in keys:
            if (row := self._row("raw, data", namespace, key)) is not None:
                found[key] = Item(row[1], bool(row[0]))
                self._uses[namespace, key] = self._next_tick()
        if len(self._uses) > MAX_UNWRITTEN_USES:
            with self._writing():
                self._write_uses()
        return found

    def stale(self, namespace: str, key: str) -> Stale | None:
        """An item that is there, or is within its grace, now marked as used."""
        row = self._row("raw, data, due", namespace, key, where=_STALE)
        if row is None:
            return None
        self._uses[namespace, key] = self._next_tick()
        return Stale(Item(row[1], bool(row[0])), -inf if row[2] is None else self._clock() - row[2])

    def put(self, namespace: str, items: Mapping[str, Item], terms: Terms) -> dict[str, int] | None:
        """Keep the items; how many entries were evicted for them, by namespace. None: they were not kept."""
        with self._writing():
            born = self._tags.born(namespace, terms) if terms.tags else None
            if terms.tags and born is None:
                return None
            due = self._due(terms.lifetime)
            for key, item in items.items():
                self._put(namespace, key, item, due, terms.grace, terms.tags, born)
            return self._make_room()

    def update(
        self, namespace: str, key: str, change: Callable[[Item | None], Item], terms: Terms, keep: bool
    ) -> tuple[Item, dict[str, int]]:
        """Replace an item by what ``change`` makes of it; the new item, and evictions as in :meth:`put`."""
        with self._writing():
            row = self._row("raw, data, due, grace, tags", namespace, key)
            item = change(None if row is None else Item(row[1], bool(row[0])))
            due, grace, tags = self._due(terms.lifetime), terms.grace, terms.tags
            if row is not None:
                tags = tuple(dict.fromkeys((*json.loads(row[4] or "[]"), *tags)))
                if keep:
                    due, grace = row[2], row[3]
            self._put(namespace, key, item, due, grace, tags, self._tags.generation() if tags else None)
            return item, self._make_room()

    def moment(self) -> object:
        """A mark of now, for every tag of every namespace."""
        return self._tags.moment()

    def invalidate(self, namespace: str, tags: Collection[str]) -> None:
        """Let every item that has one of the tags be gone; they are removed when the file is purged."""
        with self._writing():
            self._tags.invalidate(namespace, tags, self._clock())

    def delete(self, namespace: str, key: str) -> bool:
        """Forget an item; whether it was there."""
        with self._writing():
            there = self._row("1", namespace, key) is not None
            self._db.execute("DELETE FROM entries WHERE namespace = ? AND key = ?", (namespace, key))
            self._uses.pop((namespace, key), None)
        return there

    def left(self, namespace: str, key: str) -> float | None:
        """Seconds that an item still has; None: it is not there."""
        row = self._row("due", namespace, key)
        if row is None:
            return None
        return inf if row[0] is None else float(row[0]) - self._clock()

    def touch(self, namespace: str, key: str, lifetime: float) -> bool:
        """Give an item a new lifetime, and mark it as used; whether it was there."""
        due = self._due(lifetime)
        with self._writing():
            changed = self._db.execute(
                f"UPDATE entries SET due = ?, gone = ? + grace, used = ? WHERE {_LIVE}",  # noqa: S608 - a constant
                (due, due, self._next_tick(), namespace, key, self._clock()),
            ).rowcount
            self._uses.pop((namespace, key), None)
        return changed > 0

    def clear(self, namespace: str) -> int:
        """Forget a whole namespace; how many items there were."""
        with self._writing():
            self._expire()
            count = "SELECT count(*) FROM entries WHERE namespace = ? AND (due IS NULL OR due > ?)"
            number = int(self._db.execute(count, (namespace, self._clock())).fetchone()[0])
            self._db.execute("DELETE FROM entries WHERE namespace = ?", (namespace,))
        return number

    def purge(self) -> int:
        """Remove what has expired, and give some of its space back to the file system; how many items there were."""
        with self._writing():
            self._write_uses()
            expired = self._expire()
            self._tags.forget(self._clock())
            self._db.execute("DELETE FROM usage WHERE entries = 0")
        # As a script, which is run to its end; execute() would stop after the first page.
        self._db.executescript(f"PRAGMA incremental_vacuum({MAX_FREED_PAGES})")
        return expired

    def usage(self) -> dict[str, Usage]:
        """How much each namespace takes up."""
        return {name: Usage(entries, size) for name, entries, size in self._db.execute("SELECT * FROM usage")}

    def _prepare(self) -> None:
        if self._pragma("page_count") == 0:
            self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has to come before the first table
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        elif self._pragma("application_id") != APPLICATION_ID:
            error = sqlite3.DatabaseError("the file is the database of something else")
            error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
            raise error
        if self._db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA journal_size_limit = 16777216")
        with self._writing():
            if self._pragma("user_version") != VERSION:
                for table in ("entries", "usage", "invalidations", "generation"):
                    self._db.execute(f"DROP TABLE IF EXISTS {table}")
                for statement in statements(TABLES):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that holds the lock of the file from its beginning, so that it cannot fail half way."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # SQLite has rolled back by itself after some errors, such as a full disk
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _row(self, columns: str, namespace: str, key: str, *, where: str = _LIVE) -> Any:
        return self._db.execute(
            f"SELECT {columns} FROM entries WHERE {where}",  # noqa: S608 - columns and condition are constants
            (namespace, key, self._clock()),
        ).fetchone()

    def _put(
        self,
        namespace: str,
        key: str,
        item: Item,
        due: float | None,
        grace: float,
        tags: tuple[str, ...],
        born: int | None,
    ) -> None:
        tick = self._next_tick()
        row = {
            "namespace": namespace,
            "key": key,
            "raw": item.raw,
            "data": item.data,
            "cost": cost_of(key, item, tags),
            "due": due,
            "grace": grace,
            "gone": None if due is None else due + grace,
            "tags": json.dumps(tags) if tags else None,
            "born": born,
            "used": tick,
        }
        if self._db.execute(_PUT, row).fetchone()[0] != tick:
            self._uses[namespace, key] = tick

    def _due(self, lifetime: float) -> float | None:
        return None if lifetime == inf else self._clock() + lifetime

    def _next_tick(self) -> int:
        # Grows within this process even if the clock stands still, and goes on from where the last process ended.
        self._tick = max(self._tick + 1, time.time_ns())
        return self._tick

    def _write_uses(self) -> None:
        self._db.executemany(
            "UPDATE entries SET used = ? WHERE namespace = ? AND key = ?",
            [(used, namespace, key) for (namespace, key), used in self._uses.items()],
        )
        self._uses.clear()

    def _expire(self) -> int:
        """Remove what has expired, and what was invalidated; how many of the first."""
        expired = self._db.execute("DELETE FROM entries WHERE gone <= ?", (self._clock(),)).rowcount
        self._tags.remove_dead()
        return expired

    def _make_room(self) -> dict[str, int]:
        """Evict what has to go, within a transaction; how many entries, by namespace."""
        if len(self._uses) > MAX_UNWRITTEN_USES:
            self._write_uses()
        if not any(self._excess()):
            return {}
        self._write_uses()
        self._expire()
        evicted: dict[str, int] = {}
        while any(excess := self._excess()):
            entries, size = excess
            oldest = self._db.execute("SELECT rowid, namespace, cost FROM entries ORDER BY used LIMIT 100").fetchall()
            for rowid, namespace, cost in oldest:
                if entries <= 0 and size <= 0:
                    break
                self._db.execute("DELETE FROM entries WHERE rowid = ?", (rowid,))
                evicted[namespace] = evicted.get(namespace, 0) + 1
                entries, size = entries - 1, size - cost
        return evicted

    def _excess(self) -> tuple[int, int]:
        entries, size = self._db.execute("SELECT total(entries), total(bytes) FROM usage").fetchone()
        return max(0, int(entries) - self._limits.entries), max(0, int(size) - self._limits.bytes)
