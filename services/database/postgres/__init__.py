"""The PostgreSQL backend of the database service."""

from bedplate.services.database.postgres.backend import PostgresBackend

__all__ = ["PostgresBackend"]
