"""The database service: transactions and sessions over one database."""

from bedplate.services.database.service import DatabaseService

__all__ = ["DatabaseService"]
