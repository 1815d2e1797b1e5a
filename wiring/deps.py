"""One function per service, for code that wants functions: each answers from the current container.

``get_db_service``, ``get_queue_service`` and the like are short names that the field knows.
"""

from typing import Any, cast

from bedplate.services.auth import AuthService
from bedplate.services.cache import CacheService
from bedplate.services.chat import ChatService
from bedplate.services.database import DatabaseService
from bedplate.services.job_queue import JobQueueService
from bedplate.services.session import SessionService
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache import SharedComponentCacheService
from bedplate.services.socket import SocketService
from bedplate.services.state import StateService
from bedplate.services.storage import StorageService
from bedplate.services.store import StoreService
from bedplate.services.task import TaskService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.tracing import TracingService
from bedplate.services.variable import VariableService
from bedplate.wiring.lifespan import current_container

__all__ = [
    "get_auth_service",
    "get_cache_service",
    "get_chat_service",
    "get_database_service",
    "get_db_service",
    "get_job_queue_service",
    "get_queue_service",
    "get_service",
    "get_session_service",
    "get_settings_service",
    "get_shared_component_cache_service",
    "get_socket_service",
    "get_state_service",
    "get_storage_service",
    "get_store_service",
    "get_task_service",
    "get_telemetry_service",
    "get_tracing_service",
    "get_variable_service",
]


def get_service(name: str) -> Any:
    """The service of this name in the current container.

    Raises:
        NotWiredError: No container is current.
        UnknownServiceError: The current container has no such service.
    """
    return current_container().get(name)


def get_settings_service() -> SettingsService:
    """The settings."""
    return cast("SettingsService", get_service("settings"))


def get_telemetry_service() -> TelemetryService:
    """Logs and metrics."""
    return cast("TelemetryService", get_service("telemetry"))


def get_auth_service() -> AuthService:
    """Users, tokens and keys."""
    return cast("AuthService", get_service("auth"))


def get_database_service() -> DatabaseService:
    """The database."""
    return cast("DatabaseService", get_service("database"))


get_db_service = get_database_service


def get_cache_service() -> CacheService:
    """Values by key, bounded in number, size and time."""
    return cast("CacheService", get_service("cache"))


def get_state_service() -> StateService:
    """Values that the parts of a run share."""
    return cast("StateService", get_service("state"))


def get_storage_service() -> StorageService:
    """Files."""
    return cast("StorageService", get_service("storage"))


def get_socket_service() -> SocketService:
    """Clients over Socket.IO."""
    return cast("SocketService", get_service("socket"))


def get_store_service() -> StoreService:
    """Components and flows that users share."""
    return cast("StoreService", get_service("store"))


def get_tracing_service() -> TracingService:
    """Runs and their steps."""
    return cast("TracingService", get_service("tracing"))


def get_variable_service() -> VariableService:
    """Variables and credentials of users."""
    return cast("VariableService", get_service("variable"))


def get_session_service() -> SessionService:
    """Sessions of execution, flows, projects, builds, and the runner."""
    return cast("SessionService", get_service("session"))


def get_chat_service() -> ChatService:
    """Chat messages."""
    return cast("ChatService", get_service("chat"))


def get_job_queue_service() -> JobQueueService:
    """Background jobs."""
    return cast("JobQueueService", get_service("job_queue"))


get_queue_service = get_job_queue_service


def get_shared_component_cache_service() -> SharedComponentCacheService:
    """Component types."""
    return cast("SharedComponentCacheService", get_service("shared_component_cache"))


def get_task_service() -> TaskService:
    """Background tasks."""
    return cast("TaskService", get_service("task"))
