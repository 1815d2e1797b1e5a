"""The SQLite backend, on aiosqlite."""

from bedplate.services.database.sqlite.backend import SQLiteBackend

__all__ = ["SQLiteBackend"]
