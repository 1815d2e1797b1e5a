"""Log records on their way to a collector, with the ids of the span that they were written in."""

import logging
from collections.abc import Callable, Mapping

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import get_current
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.trace import get_current_span

from bedplate.services.telemetry.log_format import parts_of

__all__ = ["OtlpLogHandler", "span_ids"]

_OWN = ("timestamp", "level", "logger", "event", "trace_id", "span_id")
_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL, "FATAL"),
    (logging.ERROR, SeverityNumber.ERROR, "ERROR"),
    (logging.WARNING, SeverityNumber.WARN, "WARN"),
    (logging.INFO, SeverityNumber.INFO, "INFO"),
    (logging.NOTSET, SeverityNumber.DEBUG, "DEBUG"),
)


def span_ids() -> Mapping[str, str]:
    """The ids of the current span, as they stand in a log record; empty outside any."""
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


class OtlpLogHandler(logging.Handler):
    """Emits each record to a provider: the event's words are the body, what else it holds are attributes.

    Secrets are masked as in every other place where a record is written.

    Args:
        provider: The provider.
        failed: Called for each record that could not be emitted.
    """

    def __init__(self, provider: LoggerProvider, failed: Callable[[], None]) -> None:
        super().__init__()
        self._provider = provider
        self._failed = failed

    def emit(self, record: logging.LogRecord) -> None:
        """Emit one record; never raises, and never waits."""
        try:
            parts = parts_of(record)
            number, text = next(pair[1:] for pair in _SEVERITIES if record.levelno >= pair[0])
            self._provider.get_logger(record.name).emit(
                LogRecord(
                    timestamp=int(record.created * 1e9),
                    context=get_current(),
                    severity_number=number,
                    severity_text=text,
                    body=str(parts["event"]),
                    attributes={_name(key): value for key, value in parts.items() if key not in _OWN},
                )
            )
        except Exception:
            self._failed()


def _name(key: str) -> str:
    return "exception.stacktrace" if key == "exception" else key
