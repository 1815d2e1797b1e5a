"""What the doctor looks at on behalf of the tracing service: how vendors are set up."""

import importlib.util
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check, is_public
from bedplate.services.tracing.vendor_names import may_have_vendors

if TYPE_CHECKING:
    from bedplate.services.tracing.vendors.registry import Problem, SetUp
    from bedplate.services.tracing.vendors.vendor import Destination

__all__ = ["CHECKS"]

_NEAR: Final = 0.88
_PREFIXES: Final = ("LANGFUSE", "LANGWATCH", "LANGSMITH", "PHOENIX", "OPIK", "OTEL")
_ALIASES: Final = frozenset({"LANGSMITH_TRACING_V2"})


@check("tracing.vendor-unusable", Severity.WARNING, "Vendors are set up completely, or not at all")
def _unusable(_tracing: Any, around: Surroundings) -> Iterator[Trouble]:
    for problem in _set_up(around).problems:
        yield Trouble(f"{problem.vendor} is not told of runs: {problem.what}", fix=problem.fix)


@check("tracing.vendor-missing-extra", Severity.WARNING, "The libraries of vendors that are set up are installed")
def _missing_extra(_tracing: Any, around: Surroundings) -> Iterator[Trouble]:
    names = sorted(_set_up(around).destinations)
    if names and importlib.util.find_spec("opentelemetry") is None:
        yield Trouble(
            f"{', '.join(names)} cannot be told of runs: OpenTelemetry is not installed",
            fix="pip install 'bedplate[opentelemetry]'",
        )


@check("tracing.vendor-same-key", Severity.WARNING, "Each vendor has a key of its own")
def _same_key(_tracing: Any, around: Surroundings) -> Iterator[Trouble]:
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for name, destination in _set_up(around).destinations.items():
        for secret in set(destination.credentials):
            holders[secret].append(name)
    for names in holders.values():
        if len(names) > 1:
            yield Trouble(
                f"{' and '.join(names)} are given the same key: one of them is told the other's",
                fix="give each vendor the key that it issued",
            )


@check("tracing.vendor-typo", Severity.WARNING, "Variables of vendors are spelt as the vendors document them")
def _typo(_tracing: Any, around: Surroundings) -> Iterator[Trouble]:
    values = around.values.tracing
    suspects = [name for name in around.environment if _resembles_prefix(name)]
    if not suspects or not values.vendor_environment or values.backend == "off":
        return
    import difflib

    from bedplate.services.tracing.vendors.registry import VENDORS

    known = [name for vendor in VENDORS for name in vendor.variables]
    for name in sorted(suspects):
        near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
        if near and name not in (*known, *_ALIASES) and near[0] not in around.environment:
            yield Trouble(f"the variable {name} means nothing here", fix=f"did you mean {near[0]}?")


@check("tracing.vendor-in-file", Severity.WARNING, "Variables of vendors are in the environment, where they are read")
def _in_file(_tracing: Any, around: Surroundings) -> Iterator[Trouble]:
    if around.values.tracing.backend == "off" or not any(_resembles_prefix(name) for name in around.settings.foreign):
        return
    from bedplate.services.tracing.vendors.registry import VENDORS

    known = {name for vendor in VENDORS for name in vendor.variables}
    for name in sorted(known.intersection(around.settings.foreign) - around.environment.keys()):
        yield Trouble(
            f"{name} stands in the file .env, from which only variables of Bedplate are read",
            fix=f"export {name}, or write the setting of tracing that stands for it into the file",
        )


@check("tracing.vendor-plain-http", Severity.WARNING, "Keys and prompts travel to vendors over HTTPS only")
def _plain_http(_tracing: Any, around: Surroundings) -> Iterator[Trouble]:
    for name, destination in _set_up(around).destinations.items():
        parts = urlsplit(destination.url)
        if parts.scheme == "http" and destination.credentials and is_public(parts.hostname or ""):
            yield Trouble(f"the key of {name} is sent over plain HTTP", fix=f"use an https:// URL for {name}")


@check("tracing.vendor-without-content", Severity.NOTE, "Vendors are told what runs were given and gave, or not")
def _without_content(_tracing: Any, around: Surroundings) -> Iterator[Trouble]:
    names = sorted(_set_up(around).destinations)
    if not names:
        return
    from bedplate.services.tracing.vendors.registry import content_allowed

    if around.values.tracing.vendor_content is None and not content_allowed(around.values.tracing, around.environment):
        yield Trouble(
            f"{', '.join(names)} see runs, times, tokens and errors, and neither prompts nor answers",
            fix="set BEDPLATE_TRACING__VENDOR_CONTENT=true to show them, or false to keep it so",
        )


@check("tracing.vendors-missing", Severity.WARNING, "Where runs go to vendors alone, there is a vendor")
def _none(_tracing: Any, around: Surroundings) -> Iterator[Trouble]:
    if around.values.tracing.backend == "vendors" and not _set_up(around).destinations:
        yield Trouble(
            "runs are recorded nowhere: the backend is vendors, and none is set up",
            fix="set a vendor up, or set BEDPLATE_TRACING__BACKEND=database",
        )


def _resembles_prefix(name: str) -> bool:
    """Whether the first word of a variable is a vendor's, give or take a letter."""
    word = name.partition("_")[0]
    return any(
        word[:1] == prefix[:1] and abs(len(word) - len(prefix)) <= 1 and len(set(word) ^ set(prefix)) <= 2
        for prefix in _PREFIXES
    )


class _Nothing:
    """What is set up where no vendor is."""

    destinations: Mapping[str, "Destination"] = {}
    problems: tuple["Problem", ...] = ()


def _set_up(around: Surroundings) -> "SetUp | _Nothing":
    if not may_have_vendors(around.values.tracing, around.environment):
        return _Nothing()
    # Imported here: a start without vendors needs none of it.
    from bedplate.services.tracing.vendors.registry import set_up

    return set_up(around.values.tracing, around.environment)


CHECKS: tuple[Check, ...] = (
    _unusable,
    _missing_extra,
    _same_key,
    _typo,
    _in_file,
    _plain_http,
    _without_content,
    _none,
)
