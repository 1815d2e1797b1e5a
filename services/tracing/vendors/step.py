"""A run or span that has ended, as what vendors are told is made from it."""

import functools
from collections.abc import Mapping
from typing import Any

from bedplate.services.tracing.exporter import Record, RunInfo, RunRecord, SpanRecord
from bedplate.services.tracing.models import SpanKind, Status
from bedplate.services.tracing.vendors import conventions
from bedplate.services.tracing.vendors.parameters import parameters_of
from bedplate.services.tracing.vendors.texts import text_of

__all__ = ["Attributes", "Step"]

Attributes = dict[str, Any]

_MODEL = ("model", "model_name", "model_id")
_PROVIDER = ("provider", "model_provider")


class Step:
    """A record of something that has ended. What is derived from it is made once, for all vendors.

    Args:
        record: The run or span; it has ended, and knows its run.
        run: What it has in common with its run.
        content: Whether inputs, outputs and logs may be told.
    """

    def __init__(self, record: Record, run: RunInfo, *, content: bool) -> None:
        self.record = record
        self.run = run
        self.content = content
        self.is_root = isinstance(record, RunRecord)
        self.size = record.size if content else 0

    def stripped(self) -> "Step":
        """The same without its contents."""
        return Step(self.record, self.run, content=False)

    @property
    def kind(self) -> SpanKind:
        """What it does; a run is a chain."""
        return self.record.kind if isinstance(self.record, SpanRecord) else SpanKind.CHAIN

    @property
    def failed(self) -> bool:
        """Whether it ended badly."""
        return self.record.status in (Status.ERROR, Status.INTERRUPTED)

    @functools.cached_property
    def inputs(self) -> str | None:
        """What it was given, as text or JSON; None: nothing, or not to be told."""
        return text_of(self.record.inputs) if self.content else None

    @functools.cached_property
    def outputs(self) -> str | None:
        """What it gave, as text or JSON; None: nothing, or not to be told."""
        return text_of(self.record.outputs) if self.content else None

    @functools.cached_property
    def metadata(self) -> Mapping[str, Any]:
        """What was noted of it, and what it is in the flow."""
        more: dict[str, Any] = {"run_id": str(self.run.id)}
        if self.run.flow_id is not None:
            more["flow_id"] = str(self.run.flow_id)
        if isinstance(self.record, SpanRecord) and self.record.key is not None:
            more["key"] = self.record.key
        return self.record.metadata | more

    @property
    def model(self) -> str | None:
        """The language model that it used, if it says so."""
        return self._named(_MODEL)

    @property
    def provider(self) -> str | None:
        """Whose model that is, if it says so."""
        return self._named(_PROVIDER)

    @functools.cached_property
    def parameters(self) -> Mapping[str, int | float]:
        """How its language model was asked."""
        return parameters_of(self.record.inputs)

    def noted(self, name: str) -> str | None:
        """A text that was noted of it; None: there is none."""
        found = self.record.metadata.get(name)
        return found if isinstance(found, str) and found else None

    @functools.cached_property
    def attributes(self) -> Mapping[str, Any]:
        """What it says under the conventions of OpenTelemetry and OpenInference."""
        return conventions.attributes(self)

    def _named(self, names: tuple[str, ...]) -> str | None:
        for place in (self.record.metadata, self.record.inputs):
            for name in names if isinstance(place, dict) else ():
                if isinstance(found := place.get(name), str) and found:
                    return found
        return None
