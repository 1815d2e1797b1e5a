"""What the doctor looks at in the settings as a whole."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check
from bedplate.services.settings.aliases import ALIAS_PREFIX, ALIASES, WITHOUT_COUNTERPART
from bedplate.services.settings.keys import Key, dotted, environment_name, fields_of, is_secret, nearest
from bedplate.services.settings.limits import contradictions

__all__ = ["CHECKS"]

_KUBERNETES_KILLS_AFTER = 30
_RETENTIONS = (
    "auth.audit_retention",
    "chat.retention",
    "session.record_retention",
    "tracing.retention",
    "variable.version_retention",
)


@check("settings.langflow-variable", Severity.NOTE, "Every variable of Langflow that is set means something here")
def _langflow_variable(settings: Any, around: Surroundings) -> Iterator[Trouble]:
    given = {name for name in (*around.environment, *settings.foreign) if name.startswith(ALIAS_PREFIX)}
    for name in sorted(given - ALIASES.keys()):
        if reason := WITHOUT_COUNTERPART.get(name):
            yield Trouble(f"{name} does nothing: {reason}", fix="remove it")
            continue
        meant = nearest((name.removeprefix(ALIAS_PREFIX).lower(),), fields_of(type(around.values)))
        hint = f"; did you mean {environment_name(meant)}?" if meant else ""
        yield Trouble(f"{name} is not known", fix=f"remove it{hint}", severity=Severity.WARNING)


@check("settings.readable-secrets", Severity.WARNING, "Files that hold secrets are readable by their owner alone")
def _readable_secrets(_settings: Any, around: Surroundings) -> Iterator[Trouble]:
    for path, keys in _files_with_secrets(around).items():
        if _mode(path) & (stat.S_IRWXG | stat.S_IRWXO):
            names = ", ".join(map(dotted, keys))
            yield Trouble(f"{path} holds {names}, and others can read it", fix=f"chmod 600 {path}")


@check("settings.contradiction", Severity.WARNING, "No limit is out of reach because of another one")
def _contradiction(_settings: Any, around: Surroundings) -> Iterable[Trouble]:
    return contradictions(around.values)


@check("settings.retention-off", Severity.WARNING, "What grows without end is deleted some day")
def _retention_off(_settings: Any, around: Surroundings) -> Iterator[Trouble]:
    for name in _RETENTIONS:
        if around.settings.value(name) == 0:
            yield Trouble(
                f"{name} is 0: nothing is ever deleted for its age, and the disk fills up",
                fix=f"set {environment_name(tuple(name.split('.')))} to a number of seconds",
            )


@check("server.wildcard-origin", Severity.WARNING, "Browsers may call from named origins only")
def _wildcard_origin(_settings: Any, around: Surroundings) -> Iterator[Trouble]:
    if "*" in around.values.server.cors_origins and around.public:
        yield Trouble(
            "every page of the web may call this server from its visitors' browsers",
            fix="name the origins in BEDPLATE_SERVER__CORS_ORIGINS",
        )


@check("server.insecure-origin", Severity.WARNING, "Origins that may send cookies are reached over HTTPS")
def _insecure_origin(_settings: Any, around: Surroundings) -> Iterator[Trouble]:
    server = around.values.server
    local = ("http://localhost", "http://127.0.0.1", "http://[::1]")
    for origin in server.cors_origins if server.cors_allow_credentials else ():
        if origin == "null" or (origin.startswith("http://") and not origin.startswith(local)):
            yield Trouble(
                f"pages of {origin} may send cookies, and anybody on their way can write such a page",
                fix="serve them over HTTPS, and name that origin in BEDPLATE_SERVER__CORS_ORIGINS",
            )


@check("server.stop-timeout", Severity.WARNING, "Services are stopped before the platform kills the process")
def _stop_timeout(_settings: Any, around: Surroundings) -> Iterator[Trouble]:
    server = around.values.server
    needed = server.stop_timeout + server.drain_timeout + server.drain_delay
    if needed >= _KUBERNETES_KILLS_AFTER and "KUBERNETES_SERVICE_HOST" in around.environment:
        yield Trouble(
            f"stopping may take {needed:g} s, and Kubernetes kills after {_KUBERNETES_KILLS_AFTER} by default",
            fix="lower BEDPLATE_SERVER__STOP_TIMEOUT, or raise terminationGracePeriodSeconds and ignore this",
        )


@check(
    "server.replicas", Severity.ERROR, "Replicas share what they must: nothing is kept by one process or machine alone"
)
def _replicas(_settings: Any, around: Surroundings) -> Iterator[Trouble]:
    replicas = around.values.server.replicas
    if replicas == 1:
        return
    for service, backend in around.backends.items():
        if backend.shared_by == "process":
            yield Trouble(
                f"there are {replicas} replicas, and the backend {backend.name!r} of {service} is one process's own",
                fix=f"set BEDPLATE_{service.upper()}__BACKEND to one that replicas share, or "
                "BEDPLATE_SERVER__REPLICAS=1 if there is one",
            )
        elif backend.shared_by == "machine":
            yield Trouble(
                f"there are {replicas} replicas, and those on other machines do not see what the backend "
                f"{backend.name!r} of {service} keeps",
                fix="run them all on one machine with one data directory, or choose a backend that they share",
                severity=Severity.WARNING,
            )


CHECKS: tuple[Check, ...] = (
    _langflow_variable,
    _readable_secrets,
    _contradiction,
    _retention_off,
    _wildcard_origin,
    _insecure_origin,
    _stop_timeout,
    _replicas,
)


def _files_with_secrets(around: Surroundings) -> dict[Path, list[Key]]:
    found: dict[Path, list[Key]] = {}
    for key, field in fields_of(type(around.values)).items():
        if is_secret(field) and (path := around.settings.file(dotted(key))) is not None:
            found.setdefault(path, []).append(key)
    return found


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode) if os.name == "posix" else 0
    except OSError:
        return 0
