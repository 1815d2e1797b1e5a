"""The bodies of the REST contract, one module per area."""
