"""How each of the sixteen services works: one folder a service, one shape (see ``CONTRIBUTING.md``)."""
