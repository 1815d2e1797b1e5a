"""The command line; each command boots only what it needs."""
