"""The names of the sixteen services."""

from enum import StrEnum

__all__ = ["ServiceType"]


class ServiceType(StrEnum):
    """The sixteen services: each value is a container attribute, a settings group and a log name."""

    AUTH = "auth"
    CACHE = "cache"
    CHAT = "chat"
    DATABASE = "database"
    JOB_QUEUE = "job_queue"
    SESSION = "session"
    SETTINGS = "settings"
    SHARED_COMPONENT_CACHE = "shared_component_cache"
    SOCKET = "socket"
    STATE = "state"
    STORAGE = "storage"
    STORE = "store"
    TASK = "task"
    TELEMETRY = "telemetry"
    TRACING = "tracing"
    VARIABLE = "variable"
