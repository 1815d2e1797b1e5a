"""Jobs that any replica reads and cancels: the log of a running one is a stream of Redis."""
