"""The pytest plugin of the distribution."""
