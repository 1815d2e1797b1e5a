"""What the standard ``OTEL_*`` variables say, checked before anything is started."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from bedplate.services.telemetry.errors import OtelSettingError

__all__ = ["MAX_TEXT", "SIGNALS", "OtlpOptions", "Queue", "Signal", "SignalOptions", "read_options"]

Signal = Literal["traces", "metrics", "logs"]
MAX_TEXT = 16_384
"""Most characters of an attribute, whatever the variables say: some thousand spans may wait."""
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")

_PROTOCOLS = ("http/protobuf", "grpc")
_SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
N = TypeVar("N", int, float)


class SignalOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where one of the three signals is delivered, and how.

    Attributes:
        endpoint: The URL that its requests go to.
        origin: The variable that gave it; None: the standard's default.
        protocol: ``"http/protobuf"`` or ``"grpc"``.
        headers: What is sent along, such as credentials.
        timeout: Seconds for one delivery, all its attempts together.
        compression: ``"none"``, ``"gzip"`` or ``"deflate"``.
        certificate: File of the authorities that are trusted.
        client_key: File of the client's key.
        client_certificate: File of the client's certificate.
    """

    endpoint: str
    origin: str | None
    protocol: str
    headers: dict[str, str]
    timeout: float
    compression: str
    certificate: str | None
    client_key: str | None
    client_certificate: str | None

    @property
    def collector(self) -> str:
        """Scheme, host and port of the endpoint, for messages: the rest may hold a secret."""
        parts = urlsplit(self.endpoint)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for its delivery.

    Attributes:
        size: Most items; a further one is dropped.
        batch: Most items of one delivery.
        delay: Most seconds that one waits for others.
    """

    size: int
    batch: int
    delay: float


class OtlpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        disabled: ``OTEL_SDK_DISABLED``.
        resource: The attributes of the resource, ``service.name`` among them.
        signals: The signals that are delivered.
        sampler: The name of the sampler.
        ratio: Its argument, for those that have one.
        spans: The queue of spans.
        logs: The queue of log records.
        interval: Seconds between two deliveries of metrics.
        text: Most characters of an attribute of a span.
    """

    disabled: bool
    resource: dict[str, str]
    signals: dict[Signal, SignalOptions]
    sampler: str
    ratio: float
    spans: Queue
    logs: Queue
    interval: float
    text: int


def read_options(environment: Mapping[str, str]) -> OtlpOptions:
    """Read the variables; an empty one is as one that is not set.

    Raises:
        OtelSettingError: One of them is wrong; it is named, and its value is not shown.
    """
    given = {name: text.strip() for name, text in environment.items() if text.strip()}
    disabled = given.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if given.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative").lower() != "cumulative":
        raise OtelSettingError(
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "asks for another temporality than that of /metrics, with which metrics are shared",
            fix="set it to cumulative, and let the collector convert",
        )
    sampler = given.get("OTEL_TRACES_SAMPLER", "parentbased_always_on").lower()
    if sampler not in _SAMPLERS:
        raise _no_choice("OTEL_TRACES_SAMPLER", _SAMPLERS)
    return OtlpOptions(
        disabled=disabled,
        resource=_resource(given),
        signals={signal: options for signal in SIGNALS if (options := _signal(given, signal)) and not disabled},
        sampler=sampler,
        ratio=_number(given, "OTEL_TRACES_SAMPLER_ARG", 1.0, float, 0.0, 1.0),
        spans=_queue(given, "OTEL_BSP", delay=5_000),
        logs=_queue(given, "OTEL_BLRP", delay=1_000),
        interval=_number(given, "OTEL_METRIC_EXPORT_INTERVAL", 60_000, int, 1) / 1e3,
        text=_number(given, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", MAX_TEXT, int, 1, MAX_TEXT),
    )


def _signal(given: Mapping[str, str], signal: Signal) -> SignalOptions | None:
    exporter = f"OTEL_{signal.upper()}_EXPORTER"
    chosen = given.get(exporter, "otlp").lower()
    if chosen == "none":
        return None
    if chosen != "otlp":
        raise _no_choice(exporter, ("otlp", "none"))

    def named(option: str) -> tuple[str, str | None]:
        own, common = f"OTEL_EXPORTER_OTLP_{signal.upper()}_{option}", f"OTEL_EXPORTER_OTLP_{option}"
        name = own if own in given else common
        return name, given.get(name)

    name, protocol = named("PROTOCOL")
    if protocol not in (None, *_PROTOCOLS):
        raise _no_choice(name, _PROTOCOLS)
    protocol = protocol or _PROTOCOLS[0]
    name, compression = named("COMPRESSION")
    if compression not in (None, "none", "gzip", "deflate"):
        raise _no_choice(name, ("none", "gzip", "deflate"))
    endpoint, origin = _endpoint(*named("ENDPOINT"), signal, protocol)
    timeout_name, _ = named("TIMEOUT")
    return SignalOptions(
        endpoint=endpoint,
        origin=origin,
        protocol=protocol,
        headers=dict(_pairs(*named("HEADERS"))),
        timeout=_number(given, timeout_name, 10.0, float, 0.001),
        compression=compression or "none",
        certificate=named("CERTIFICATE")[1],
        client_key=named("CLIENT_KEY")[1],
        client_certificate=named("CLIENT_CERTIFICATE")[1],
    )


def _endpoint(name: str, given: str | None, signal: Signal, protocol: str) -> tuple[str, str | None]:
    if given is None:
        default = "http://localhost:4317" if protocol == "grpc" else f"http://localhost:4318/v1/{signal}"
        return default, None
    try:
        parts = urlsplit(given)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise OtelSettingError(name, "is not the URL of a collector", fix="set it to a URL such as http://host:4318")
    if name == "OTEL_EXPORTER_OTLP_ENDPOINT" and protocol != "grpc":
        given = f"{given.rstrip('/')}/v1/{signal}"
    return given, name


def _pairs(name: str, text: str | None) -> Iterable[tuple[str, str]]:
    for pair in (text or "").split(","):
        key, found, value = pair.partition("=")
        if not pair.strip():
            continue
        if not found or not key.strip():
            raise OtelSettingError(name, "is no list of pairs", fix="write key=value, with commas between the pairs")
        yield key.strip().lower() if "HEADERS" in name else key.strip(), unquote(value.strip())


def _resource(given: Mapping[str, str]) -> dict[str, str]:
    name = "OTEL_RESOURCE_ATTRIBUTES"
    attributes = {"service.name": "bedplate", **dict(_pairs(name, given.get(name)))}
    if service := given.get("OTEL_SERVICE_NAME"):
        attributes["service.name"] = service
    return attributes


def _queue(given: Mapping[str, str], prefix: str, *, delay: int) -> Queue:
    size = _number(given, f"{prefix}_MAX_QUEUE_SIZE", 2_048, int, 1)
    batch = _number(given, f"{prefix}_MAX_EXPORT_BATCH_SIZE", min(512, size), int, 1)
    if batch > size:
        raise OtelSettingError(
            f"{prefix}_MAX_EXPORT_BATCH_SIZE", "is more than the queue holds", fix=f"raise {prefix}_MAX_QUEUE_SIZE"
        )
    return Queue(size=size, batch=batch, delay=_number(given, f"{prefix}_SCHEDULE_DELAY", delay, int, 1) / 1e3)


def _number(
    given: Mapping[str, str], name: str, default: N, kind: Callable[[str], N], least: float, most: float = 1e9
) -> N:
    try:
        value = kind(given[name]) if name in given else default
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        raise OtelSettingError(
            name, "is not a number that it can be", fix=f"set it to one between {least:.10g} and {most:.10g}"
        )
    return value


def _no_choice(name: str, choices: Iterable[str]) -> OtelSettingError:
    return OtelSettingError(name, "names something that there is not", fix=f"set it to one of {', '.join(choices)}")
