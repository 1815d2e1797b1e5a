"""See :mod:`bedplate.wiring.testing.servers.postgres`."""

from bedplate.wiring.testing.servers.postgres import PASSWORD, USER, free_port, new_database, postgres, unprivileged

__all__ = ["PASSWORD", "USER", "free_port", "new_database", "postgres", "unprivileged"]
