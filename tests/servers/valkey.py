"""See :mod:`bedplate.wiring.testing.servers.valkey`."""

from bedplate.wiring.testing.servers.valkey import PASSWORD, ValkeyServer, flush, valkey

__all__ = ["PASSWORD", "ValkeyServer", "flush", "valkey"]
