"""The broker of Celery: where it is, what may stand in its URL, and what its errors mean. Needs no library of it."""

from fnmatch import fnmatchcase
from typing import Final

from pydantic import SecretStr

from bedplate.services.errors import BedplateError, ConfigurationError, UnavailableError
from bedplate.services.schema import ServiceType
from bedplate.services.server_address import ServerAddress, causes, tls_problem, url_problem
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.task import TaskSettings

__all__ = [
    "BrokerAddress",
    "BrokerSettingError",
    "BrokerUnavailableError",
    "broker_address",
    "consumed",
    "queue_of",
    "queues_of",
]

_SERVICE: Final = ServiceType.TASK
_PORTS: Final = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}
_SCHEMES: Final = (*_PORTS, "unix")
_EXAMPLE: Final = "redis://user:password@host:6379/0 or amqp://user:password@host:5672/vhost"


class BrokerSettingError(ConfigurationError):
    """The URL of the broker is missing or cannot be used, or the broker refuses what it says."""

    code = "task_broker_setting"


class BrokerUnavailableError(UnavailableError):
    """The broker does not answer; try again."""

    code = "task_broker_unavailable"


class BrokerAddress(ServerAddress, frozen=True, kw_only=True):
    """Where the broker is.

    Attributes:
        key_prefix: What all keys begin with, on Redis.
        ca_file: Certificates to check the broker's against; None: the usual ones.
        timeout: Seconds in which it must answer.
    """

    ports = _PORTS

    key_prefix: str = ""
    ca_file: str | None = None
    timeout: float = 5.0

    @property
    def is_redis(self) -> bool:
        """Whether it is Redis or Valkey."""
        return not self.scheme.startswith("amqp")

    def error(self, error: BaseException) -> BedplateError:
        """What an exception of the library means, without a word of a password.

        Returns:
            A :class:`BrokerSettingError` if waiting would not help, else a :class:`BrokerUnavailableError`.
        """
        if (tls := tls_problem(error, "the broker")) is not None:
            fix = f"set BEDPLATE_TASK__BROKER_CA_FILE, or write {self.setting} as the broker wants it"
            return BrokerSettingError(tls, service=_SERVICE, why=self.origin, fix=fix)
        if names := {type(one).__name__ for one in causes(error)} & _REFUSALS.keys():
            what, fix = _REFUSALS[names.pop()]
            return BrokerSettingError(what, service=_SERVICE, why=self.origin, fix=fix.format(setting=self.setting))
        return BrokerUnavailableError(
            "the broker does not answer",
            service=_SERVICE,
            why=f"{type(error).__name__} at {self.masked}",
            fix=f"try again; if it lasts, look at the broker, and at {self.setting}",
        )


_CREDENTIALS: Final = (
    "the broker refuses the user or the password",
    "write user and password into {setting} as the broker knows them",
)
_REFUSALS: Final = {
    "AccessRefused": _CREDENTIALS,  # AMQP, 403
    "AuthenticationError": _CREDENTIALS,  # Redis
    "AuthenticationWrongNumberOfArgsError": _CREDENTIALS,
    "AuthorizationError": _CREDENTIALS,
    "NoPermissionError": _CREDENTIALS,
    "NotAllowed": ("the broker has no such virtual host", "end {setting} with one that is there"),  # AMQP, 530
    "PreconditionFailed": (  # AMQP, 406
        "a queue of that name is there, and was made by something else",
        "set BEDPLATE_TASK__BROKER_QUEUE to another name, or delete the queue",
    ),
}
"""What exceptions of the libraries mean, by the names of their classes: neither need be installed."""


def broker_address(settings: SettingsService) -> BrokerAddress:
    """The broker of the task service: that of ``BEDPLATE_TASK__BROKER_URL``, or else that of ``BEDPLATE_REDIS__URL``.

    Raises:
        BrokerSettingError: Neither is set, or it is not the URL of a broker that can be used.
    """
    own, redis = settings.values.task, settings.values.redis
    given: SecretStr | None = own.broker_url or redis.url
    setting = "BEDPLATE_TASK__BROKER_URL" if own.broker_url else "BEDPLATE_REDIS__URL"
    if given is None:
        raise BrokerSettingError(
            "the backend 'celery' needs the URL of a broker",
            service=_SERVICE,
            why="neither BEDPLATE_TASK__BROKER_URL nor BEDPLATE_REDIS__URL is set",
            fix=f"set one, such as {_EXAMPLE}, or set BEDPLATE_TASK__BACKEND=anyio",
        )
    url = given.get_secret_value()
    if problem := url_problem(url, "the broker", _SCHEMES):
        # The text is not shown: where a password in it begins and ends, nobody can say.
        raise BrokerSettingError(problem, service=_SERVICE, why=f"set by {setting}", fix=f"write it as {_EXAMPLE}")
    ca_file = own.broker_ca_file or redis.ca_file
    return BrokerAddress(
        url=url,
        setting=setting,
        key_prefix=f"{redis.key_prefix}celery:",
        ca_file=None if ca_file is None else str(ca_file),
        timeout=own.broker_timeout,
    )


def queues_of(values: TaskSettings) -> tuple[str, ...]:
    """The names of all queues."""
    return tuple(dict.fromkeys((values.broker_queue, *values.broker_routes.values())))


def consumed(values: TaskSettings) -> tuple[str, ...]:
    """The names of the queues that a worker takes tasks from.

    Raises:
        BrokerSettingError: A setting names one that no task is led to.
    """
    known = queues_of(values)
    if unknown := [name for name in values.broker_consume if name not in known]:
        raise BrokerSettingError(
            f"no task is led to the queue {unknown[0][:100]!r}, so that a worker would wait for ever",
            service=_SERVICE,
            why="set by BEDPLATE_TASK__BROKER_CONSUME",
            fix=f"name one of {', '.join(known)}, or lead tasks to it by BEDPLATE_TASK__BROKER_ROUTES",
        )
    return values.broker_consume or known


def queue_of(values: TaskSettings, name: str) -> str:
    """The queue of a task."""
    for pattern, queue in values.broker_routes.items():
        if fnmatchcase(name, pattern):
            return queue
    return values.broker_queue
