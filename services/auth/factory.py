"""The backends of the auth service."""

from collections.abc import Callable

from bedplate.services.auth.policy import AuthorizationPolicy
from bedplate.services.auth.service import AuthService
from bedplate.services.auth.throttle_store import DatabaseThrottleStore, ThrottleStore
from bedplate.services.backends import Backend, Need, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_auth"]


@service_factory(
    ServiceType.AUTH,
    Backend(
        name="database",
        target="bedplate.services.auth.service:AuthService",
        may_need=(Need("redis", setting="throttle", value="redis"),),
    ),
)
def build_auth(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
    http: HttpEngine,
    policy: AuthorizationPolicy,
    redis: Callable[[], RedisEngine] | None = None,
) -> AuthService:
    """Build the auth service from its settings; ``redis`` is called for the engine if logins are counted there."""
    choice = build_auth.choose(settings)
    throttle: ThrottleStore = DatabaseThrottleStore(database)
    if redis is not None and "redis" in choice.needs:
        throttle = _redis_throttle(redis())
    service: AuthService = choice.backend.load(ServiceType.AUTH)(
        settings, telemetry, database, keyring, workers, http, policy, throttle
    )
    return service


def _redis_throttle(engine: RedisEngine) -> ThrottleStore:
    from bedplate.services.auth.redis_throttle import RedisThrottleStore

    return RedisThrottleStore(engine)
