"""A whole cluster on one machine: PostgreSQL, Valkey, S3, replicas and a worker (``make cluster``)."""
