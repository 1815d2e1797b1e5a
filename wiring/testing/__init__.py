"""What tests of an application use: fixtures of the pytest plugin, servers of one's own, conformance suites."""
