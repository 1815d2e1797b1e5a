"""The vendors there are, and which of them are set up."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import msgspec

from bedplate.services.settings.groups.tracing import TracingSettings
from bedplate.services.tracing.vendors.langfuse import Langfuse
from bedplate.services.tracing.vendors.langsmith import LangSmith
from bedplate.services.tracing.vendors.langwatch import LangWatch
from bedplate.services.tracing.vendors.opik import Opik
from bedplate.services.tracing.vendors.otlp import Otlp
from bedplate.services.tracing.vendors.phoenix import Phoenix
from bedplate.services.tracing.vendors.sources import Sources, VendorProblem
from bedplate.services.tracing.vendors.vendor import Destination, Vendor

__all__ = ["VENDORS", "Problem", "SetUp", "content_allowed", "service_name", "set_up"]

VENDORS: Final[tuple[Vendor, ...]] = (Otlp(), Langfuse(), LangWatch(), LangSmith(), Phoenix(), Opik())

_SERVICE: Final = "bedplate"
_CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CONTENT_WORDS: Final = frozenset({"true", "1", "span_only", "span_and_event"})


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor that is set up in a way that cannot work.

    Attributes:
        vendor: Its name.
        what: What is wrong, as a clause without a secret.
        fix: What to do about it.
        by_settings: Whether a setting of Bedplate takes part, which must be right; what stands in the environment may
            be meant for others.
    """

    vendor: str
    what: str
    fix: str
    by_settings: bool


class SetUp(msgspec.Struct, frozen=True, kw_only=True):
    """Which vendors are set up.

    Attributes:
        destinations: Where the spans of each go.
        problems: What is wrong with others.
        by_settings: Those that a setting of Bedplate takes part in setting up.
    """

    destinations: Mapping[str, Destination]
    problems: tuple[Problem, ...]
    by_settings: frozenset[str]


def set_up(settings: TracingSettings, environment: Mapping[str, str]) -> SetUp:
    """Find out which vendors are set up; changes nothing, and asks nobody."""
    destinations: dict[str, Destination] = {}
    problems: list[Problem] = []
    by_settings: set[str] = set()
    for vendor in VENDORS:
        sources = Sources(settings, environment)
        try:
            destination = vendor.destination(sources)
        except VendorProblem as error:
            problems.append(
                Problem(vendor=vendor.name, what=error.what, fix=error.fix, by_settings=sources.set_by_settings)
            )
            continue
        if destination is not None:
            destinations[vendor.name] = destination
            if sources.set_by_settings:
                by_settings.add(vendor.name)
    return SetUp(destinations=destinations, problems=tuple(problems), by_settings=frozenset(by_settings))


def content_allowed(settings: TracingSettings, environment: Mapping[str, str]) -> bool:
    """Whether vendors are told inputs, outputs and logs."""
    if settings.vendor_content is not None:
        return settings.vendor_content
    return settings.vendor_environment and environment.get(_CONTENT, "").strip().lower() in _CONTENT_WORDS


def service_name(environment: Mapping[str, str]) -> str:
    """What spans call this service: as the variables of OpenTelemetry say, else ``bedplate``."""
    if name := environment.get("OTEL_SERVICE_NAME", "").strip():
        return name
    for pair in environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, _, value = pair.partition("=")
        if key.strip() == "service.name" and value.strip():
            return unquote(value.strip())
    return _SERVICE
