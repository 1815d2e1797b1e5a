"""Opik, by its endpoint of OTLP.

See https://www.comet.com/docs/opik/integrations/opentelemetry.
"""

from typing import ClassVar

from bedplate.services.tracing.vendors.sources import Sources
from bedplate.services.tracing.vendors.step import Attributes, Step
from bedplate.services.tracing.vendors.texts import text_of
from bedplate.services.tracing.vendors.vendor import Destination, Vendor

__all__ = ["Opik"]


class Opik(Vendor):
    """Set up by its key, or by the URL of a server of one's own, which asks for none."""

    name: ClassVar[str] = "opik"
    title: ClassVar[str] = "Opik"
    prefix: ClassVar[str] = "OPIK_"
    variables: ClassVar[tuple[str, ...]] = (
        "OPIK_API_KEY",
        "OPIK_URL_OVERRIDE",
        "OPIK_WORKSPACE",
        "OPIK_PROJECT_NAME",
        "OPIK_TRACK_DISABLE",
    )

    def destination(self, sources: Sources) -> Destination | None:
        """See :class:`~bedplate.services.tracing.vendors.vendor.Vendor`."""
        key = sources.text("opik_api_key", "OPIK_API_KEY")
        url = sources.text("opik_url", "OPIK_URL_OVERRIDE")
        if not (key or url) or sources.says(True, "OPIK_TRACK_DISABLE"):
            return None
        workspace = sources.text("opik_workspace", "OPIK_WORKSPACE")
        project = sources.text("opik_project", "OPIK_PROJECT_NAME")
        headers = {
            name: sources.header(found)
            for name, found in (("Authorization", key), ("Comet-Workspace", workspace), ("projectName", project))
            if found
        }
        return Destination(
            url=f"{sources.url(url, 'https://www.comet.com/opik/api')}/v1/private/otel/v1/traces",
            headers=headers,
            credentials=(key.value,) if key else (),
            set_by=(key.name, url.name),
        )

    def attributes(self, step: Step) -> Attributes:
        """See :class:`~bedplate.services.tracing.vendors.vendor.Vendor`."""
        told = super().attributes(step)
        told.pop("metadata", None)
        told |= {f"opik.metadata.{name}": text_of(value) for name, value in step.metadata.items() if value is not None}
        told["opik.metadata.user_id"] = str(step.run.user_id)
        if step.run.session_id is not None:
            told["thread_id"] = step.run.session_id
        return told
