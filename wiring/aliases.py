"""The type of each injected parameter: the class of the service with the name of its provider."""

from typing import Annotated

from dependency_injector.wiring import Provide

from bedplate.services.auth import AuthService
from bedplate.services.cache import CacheService
from bedplate.services.chat import ChatService
from bedplate.services.database import DatabaseService
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.keyring import Keyring as KeyringEngine
from bedplate.services.engines.redactor import Redactor as RedactorEngine
from bedplate.services.engines.workers import Workers as WorkersEngine
from bedplate.services.job_queue import JobQueueService
from bedplate.services.session import SessionService
from bedplate.services.session.runner import Runner as RunnerPort
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

__all__ = [
    "Auth",
    "Cache",
    "Chat",
    "Database",
    "Http",
    "JobQueue",
    "Keyring",
    "Redactor",
    "Runner",
    "Sessions",
    "Settings",
    "SharedComponentCache",
    "Socket",
    "State",
    "Storage",
    "Store",
    "Tasks",
    "Telemetry",
    "Tracing",
    "Variables",
    "Workers",
]

Settings = Annotated[SettingsService, Provide["settings"]]
Telemetry = Annotated[TelemetryService, Provide["telemetry"]]
Database = Annotated[DatabaseService, Provide["database"]]
Cache = Annotated[CacheService, Provide["cache"]]
Auth = Annotated[AuthService, Provide["auth"]]
Variables = Annotated[VariableService, Provide["variable"]]
State = Annotated[StateService, Provide["state"]]
Storage = Annotated[StorageService, Provide["storage"]]
Store = Annotated[StoreService, Provide["store"]]
Tracing = Annotated[TracingService, Provide["tracing"]]
SharedComponentCache = Annotated[SharedComponentCacheService, Provide["shared_component_cache"]]
Sessions = Annotated[SessionService, Provide["session"]]
Chat = Annotated[ChatService, Provide["chat"]]
Socket = Annotated[SocketService, Provide["socket"]]
JobQueue = Annotated[JobQueueService, Provide["job_queue"]]
Tasks = Annotated[TaskService, Provide["task"]]

Runner = Annotated[RunnerPort, Provide["runner"]]
Redactor = Annotated[RedactorEngine, Provide["redactor"]]
Keyring = Annotated[KeyringEngine, Provide["keyring"]]
Workers = Annotated[WorkersEngine, Provide["workers"]]
Http = Annotated[HttpEngine, Provide["http"]]
