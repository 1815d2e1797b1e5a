"""The backend ``off``: nothing is recorded."""

from bedplate.services.database import DatabaseService
from bedplate.services.tracing.exporter import Exporter

__all__ = ["exporters"]


def exporters(_database: DatabaseService) -> tuple[Exporter, ...]:
    """Return no exporters; what was recorded before can still be read."""
    return ()
