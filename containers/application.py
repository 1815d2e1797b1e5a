"""The table of contents of the system: every service, one line each."""

from dependency_injector.providers import ThreadSafeSingleton as Singleton

from bedplate.containers.base import ServiceContainer
from bedplate.services.auth.factory import build_auth
from bedplate.services.auth.policy import OwnershipPolicy
from bedplate.services.cache.factory import build_cache
from bedplate.services.chat.factory import build_chat
from bedplate.services.database.factory import build_database
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.kubernetes import KubernetesEngine
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.s3 import S3Engine
from bedplate.services.engines.workers import Workers
from bedplate.services.job_queue.factory import build_job_queue
from bedplate.services.session.factory import build_runner, build_session
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache.factory import build_shared_component_cache
from bedplate.services.socket.factory import build_socket
from bedplate.services.state.factory import build_state
from bedplate.services.storage.factory import build_storage
from bedplate.services.store.factory import build_store
from bedplate.services.task.factory import build_task
from bedplate.services.task.worker import TaskWorker
from bedplate.services.telemetry.factory import build_telemetry
from bedplate.services.tracing.factory import build_tracing
from bedplate.services.variable.factory import build_variable

__all__ = ["ApplicationContainer"]


class ApplicationContainer(ServiceContainer):
    """All services of an application; subclass it to add your own."""

    settings = Singleton(SettingsService)

    # Engines: what several services share.
    redactor = Singleton(Redactor, settings)
    keyring = Singleton(Keyring, settings)
    workers = Singleton(Workers)
    http = Singleton(HttpEngine, settings)
    redis = Singleton(RedisEngine, settings)
    s3 = Singleton(S3Engine)
    kubernetes = Singleton(KubernetesEngine)

    # Who may do what, beyond ownership.
    policy = Singleton(OwnershipPolicy)

    # Services.
    telemetry = Singleton(build_telemetry, settings, redactor)
    database = Singleton(build_database, settings, telemetry)
    cache = Singleton(build_cache, settings, telemetry, workers, redis.provider)
    auth = Singleton(build_auth, settings, telemetry, database, keyring, workers, http, policy, redis.provider)
    state = Singleton(build_state, settings, telemetry, redis.provider)
    variable = Singleton(build_variable, settings, telemetry, database, keyring, redactor, auth, kubernetes.provider)
    storage = Singleton(build_storage, settings, telemetry, database, keyring, workers, s3.provider)
    store = Singleton(build_store, settings, telemetry, database, cache, keyring, redactor, workers, http, variable)
    tracing = Singleton(build_tracing, settings, telemetry, database, redactor)
    chat = Singleton(build_chat, settings, telemetry, database)
    job_queue = Singleton(build_job_queue, settings, telemetry, database, redis.provider)
    shared_component_cache = Singleton(build_shared_component_cache, settings, telemetry, workers, redis.provider)
    runner = Singleton(build_runner, settings, http, shared_component_cache)
    socket = Singleton(build_socket, settings, telemetry, auth, workers, redis.provider)
    session = Singleton(build_session, settings, telemetry, database, cache, runner, redactor)
    task = Singleton(build_task, settings, telemetry, database)

    # What executes tasks, which may use all of the above: it is the last to start and the first to stop.
    task_worker = Singleton(TaskWorker, settings, telemetry, database, redactor, workers, task)
