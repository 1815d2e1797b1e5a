"""Arize Phoenix, by its endpoint of OTLP.

See https://arize.com/docs/phoenix/tracing/concepts-tracing/otel-openinference.
"""

from typing import ClassVar

from bedplate.services.tracing.vendors.otlp import headers_of
from bedplate.services.tracing.vendors.sources import Sources
from bedplate.services.tracing.vendors.vendor import Destination, Vendor

__all__ = ["Phoenix"]


class Phoenix(Vendor):
    """Set up by the URL of the server; it reads what OpenInference says."""

    name: ClassVar[str] = "phoenix"
    title: ClassVar[str] = "Arize Phoenix"
    prefix: ClassVar[str] = "PHOENIX_"
    variables: ClassVar[tuple[str, ...]] = (
        "PHOENIX_COLLECTOR_ENDPOINT",
        "PHOENIX_API_KEY",
        "PHOENIX_PROJECT_NAME",
        "PHOENIX_PROJECT",
        "PHOENIX_CLIENT_HEADERS",
    )

    def destination(self, sources: Sources) -> Destination | None:
        """See :class:`~bedplate.services.tracing.vendors.vendor.Vendor`."""
        url = sources.text("phoenix_endpoint", "PHOENIX_COLLECTOR_ENDPOINT")
        key = sources.text("phoenix_api_key", "PHOENIX_API_KEY")
        if not (url or key):
            return None
        project = sources.text("phoenix_project", "PHOENIX_PROJECT_NAME", "PHOENIX_PROJECT")
        more = sources.variable("PHOENIX_CLIENT_HEADERS")
        headers = headers_of(more)
        if key:
            headers["Authorization"] = f"Bearer {sources.header(key)}"
        base = sources.url(url, "https://app.phoenix.arize.com").removesuffix("/v1/traces")
        return Destination(
            url=f"{base}/v1/traces",
            headers=headers,
            credentials=tuple(filter(None, (key.value, *headers_of(more).values()))),
            set_by=(key.name, url.name),
            resource={"openinference.project.name": project.value or "default"},
        )
