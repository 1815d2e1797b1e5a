"""Settings that the chosen backends cannot do without, looked for before anything starts."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from bedplate.containers.plan import Node, Plan
from bedplate.services.checks import Finding, Severity
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings import SettingsService
from bedplate.services.settings.keys import environment_name

__all__ = ["IncompleteError", "Missing", "missing", "refuse_incomplete"]

_ENGINES: Final = {"redis": "redis.url"}
"""What an engine needs to be told, unless the service has one of its own, such as ``cache.redis_url``."""
_SHARED_KEY: Final = "secret_key"
_PROFILE: Final = "cluster"


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that is not set.

    Attributes:
        setting: Its environment variable.
        wanted_by: The backends that need it, each with its service.
        fix: How to set it.
    """

    setting: str
    wanted_by: tuple[str, ...]
    fix: str

    @property
    def finding(self) -> Finding:
        """The same in the words of the doctor."""
        what = f"{self.setting} is not set, which {' and '.join(self.wanted_by)} cannot do without"
        return Finding(check="settings.missing", severity=Severity.ERROR, what=what, fix=self.fix)


class IncompleteError(ConfigurationError):
    """Settings that the chosen backends cannot do without are not set; nothing was started.

    Attributes:
        missing: The settings.
    """

    code = "incomplete"

    def __init__(self, missing: Sequence[Missing]) -> None:
        settings = ", ".join(one.setting for one in missing)
        super().__init__(
            f"the profile {_PROFILE!r} lacks {settings}",
            service="settings",
            why="; ".join(f"{one.setting}: for {', '.join(one.wanted_by)}" for one in missing),
            fix="; ".join(one.fix for one in missing) + "; or choose other backends: `bedplate doctor` looks at all",
        )
        self.missing = tuple(missing)


def refuse_incomplete(plan: Plan) -> None:
    """Refuse a start in the cluster profile for all that is missing at once.

    Elsewhere a backend that lacks a setting says so itself, when it is made.

    Raises:
        IncompleteError: Something is.
    """
    if plan.settings is not None and plan.settings.values.profile == _PROFILE and (lacking := missing(plan)):
        raise IncompleteError(lacking)


def missing(plan: Plan) -> list[Missing]:
    """What is missing for the required services of a plan, each setting once."""
    settings = plan.settings
    if settings is None:
        return []
    wanted: dict[str, list[str]] = {}
    for node in plan.nodes:
        if node.required:
            for key, by in _lacking(node, settings):
                wanted.setdefault(key, []).append(by)
    return [
        Missing(setting=_variable(key), wanted_by=tuple(by), fix=f"set {_variable(key)}{_EXAMPLES.get(key, '')}")
        for key, by in wanted.items()
    ]


_EXAMPLES: Final = {
    "database.url": " to the database of all replicas, such as postgresql://user:password@host/bedplate",
    "redis.url": " to the server of all replicas, such as redis://user:password@host:6379/0",
    "storage.s3_bucket": " to the name of the bucket",
    _SHARED_KEY: " to one key for all replicas, made with: openssl rand -hex 32",
}


def _lacking(node: Node, settings: SettingsService) -> Iterator[tuple[str, str]]:
    if node.name == "keyring" and settings.values.profile == _PROFILE and settings.values.secret_key is None:
        yield _SHARED_KEY, "replicas that are to read each other's tokens"
    if node.choice is None or node.overridden:
        return
    service, backend = node.choice.service, node.choice.backend
    by = f"the backend {backend.name} of {service}"
    for wanted in backend.requires:
        keys = (wanted,) if isinstance(wanted, str) else wanted
        if not any(settings.value(key) for key in keys):
            yield keys[-1], by
    for need in node.choice.needs:
        own = getattr(getattr(settings.values, service), f"{need}_url", None)
        if (key := _ENGINES.get(need, "")) and not own and not settings.value(key):
            yield key, by


def _variable(key: str) -> str:
    return environment_name(tuple(key.split(".")))
