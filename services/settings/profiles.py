"""Profiles: sets of defaults for a kind of place. A profile changes defaults and nothing else."""

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["PROFILES", "Profile"]

Profile = Literal["embedded", "cluster", "test"]

PROFILES: Mapping[str, Mapping[str, Any]] = {
    "embedded": {},
    # A replica behind a load balancer, its output read by a collector; it shares with the others all that it keeps.
    "cluster": {
        "server": {
            "host": "0.0.0.0",  # noqa: S104 - a container listens on every address of its own
            "replicas": 2,
            # Within the half minute that Kubernetes gives in all.
            "drain_delay": 4.0,
            "drain_timeout": 6.0,
            "stop_timeout": 18.0,
        },
        "database": {"backend": "postgres"},
        "storage": {"backend": "s3"},
        "cache": {"backend": "two_tier"},
        "shared_component_cache": {"backend": "redis"},
        "state": {"backend": "redis"},
        "job_queue": {"backend": "redis"},
        # With polling each replica would need the clients that have come to it to come again.
        "socket": {"backend": "redis", "transports": ("websocket",)},
        "task": {"backend": "celery"},
        "telemetry": {"log_format": "json"},
    },
    # Fast rather than safe or patient: nothing that a test makes is worth protecting.
    "test": {
        # Hundreds of apps start and stop in one process, and what is seen again at the end of each is the whole heap.
        "server": {"port": 0, "gc_freeze": False},
        "auth": {"argon2_memory_kib": 8, "argon2_time_cost": 1, "cookie_secure": False},
        "telemetry": {"log_level": "warning"},
        # What a test finds must not depend on the time of day at which it runs.
        "task": {"schedules": False},
    },
}
