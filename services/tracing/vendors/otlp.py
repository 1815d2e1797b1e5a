"""Any collector of OTLP over HTTP, set up by the standard's variables.

See https://opentelemetry.io/docs/specs/otel/protocol/exporter/.
"""

from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import unquote

from bedplate.services.tracing.vendors.sources import Found, Sources, VendorProblem
from bedplate.services.tracing.vendors.vendor import Destination, Vendor

__all__ = ["Otlp", "headers_of"]

_BASE: Final = "OTEL_EXPORTER_OTLP_"
_TRACES: Final = "OTEL_EXPORTER_OTLP_TRACES_"
_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


class Otlp(Vendor):
    """Set up by the URL of the collector."""

    name: ClassVar[str] = "otlp"
    title: ClassVar[str] = "OTLP"
    prefix: ClassVar[str] = _BASE
    variables: ClassVar[tuple[str, ...]] = tuple(
        f"{prefix}{name}"
        for prefix in (_BASE, _TRACES)
        for name in (
            "ENDPOINT",
            "HEADERS",
            "COMPRESSION",
            "CERTIFICATE",
            "CLIENT_CERTIFICATE",
            "CLIENT_KEY",
            "PROTOCOL",
        )
    )

    def destination(self, sources: Sources) -> Destination | None:
        """See :class:`~bedplate.services.tracing.vendors.vendor.Vendor`."""
        base = sources.text("otlp_endpoint", f"{_BASE}ENDPOINT")
        own = sources.variable(f"{_TRACES}ENDPOINT") if not base or base.name == f"{_BASE}ENDPOINT" else Found("", "")
        if not (own or base) or (not sources.set_by_settings and _switched_off(sources)):
            return None
        protocol = _both(sources, "PROTOCOL")
        if not sources.set_by_settings and protocol and not protocol.value.startswith("http/"):
            raise VendorProblem(
                f"{protocol.name} is {protocol.value!r}, and spans are sent over HTTP alone",
                f"set {protocol.name} to http/protobuf, and the endpoint to that of HTTP, whose port is usually 4318",
            )
        given = sources.text("otlp_headers", f"{_TRACES}HEADERS", f"{_BASE}HEADERS")
        headers = headers_of(given)
        found = own or base
        certificate = (_file(sources, "CLIENT_CERTIFICATE"), _file(sources, "CLIENT_KEY"))
        return Destination(
            # An endpoint of traces is used as it is, of all signals without its last part.
            url=sources.url(own) if own else f"{sources.url(base).removesuffix('/v1/traces')}/v1/traces",
            headers=headers,
            credentials=tuple(headers.values()),
            set_by=(given.name, found.name),
            gzip=_both(sources, "COMPRESSION").value.lower() == "gzip",
            ca_file=_file(sources, "CERTIFICATE"),
            client_cert=certificate if all(certificate) else (),
        )


def headers_of(found: Found) -> dict[str, str]:
    """The headers in a text as ``name=value,name=value``, values percent-encoded.

    Raises:
        VendorProblem: It is no such list.
    """
    headers: dict[str, str] = {}
    for pair in filter(None, (one.strip() for one in found.value.split(","))):
        name, equals, value = pair.partition("=")
        name, value = name.strip().lower(), unquote(value.strip())
        if not equals or not name or not _TOKEN.issuperset(name) or not value.isascii() or not value.isprintable():
            raise VendorProblem(
                f"{found.name} is no list of headers",
                f"write {found.name} as name=value,name=value, values URL-encoded",
            )
        headers[name] = value
    return headers


def _both(sources: Sources, name: str) -> Found:
    return sources.variable(f"{_TRACES}{name}", f"{_BASE}{name}")


def _file(sources: Sources, name: str) -> str:
    found = _both(sources, name)
    if found and not Path(found.value).is_file():
        raise VendorProblem(f"the file that {found.name} names is not there", f"set {found.name} to one in PEM form")
    return found.value


def _switched_off(sources: Sources) -> bool:
    exporters = sources.variable("OTEL_TRACES_EXPORTER").value
    named = [one.strip().lower() for one in exporters.split(",") if one.strip()]
    return sources.says(True, "OTEL_SDK_DISABLED") or bool(named and "otlp" not in named)
