"""Limits that make no sense together."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from bedplate.services.checks import Trouble
from bedplate.services.settings.keys import environment_name

__all__ = ["contradictions"]


class _AtMost(NamedTuple):
    """The first setting should be at most the second; what happens if it is not."""

    smaller: str
    greater: str
    otherwise: str


_RULES = (
    _AtMost("storage.max_read_bytes", "storage.max_file_bytes", "no file is ever as large"),
    _AtMost("storage.chunk_bytes", "storage.max_file_bytes", "every file fits into one chunk"),
    _AtMost("cache.max_value_bytes", "cache.max_bytes", "no value of that size is ever kept"),
    _AtMost("chat.max_message_bytes", "server.max_body_bytes", "requests with such messages are refused"),
    _AtMost("chat.max_batch", "chat.max_page", "what is appended at once cannot be read at once"),
    _AtMost("variable.max_value_bytes", "server.max_body_bytes", "requests with such values are refused"),
    _AtMost("session.max_flow_bytes", "server.max_body_bytes", "requests with such flows are refused"),
    _AtMost("session.max_flow_bytes", "session.max_import_bytes", "such a flow can be made and not be uploaded again"),
    _AtMost("session.max_builds_per_vertex", "session.max_builds_per_flow", "a vertex never has that many"),
    _AtMost("auth.access_token_ttl", "auth.refresh_token_ttl", "a session is over before its first token is"),
    _AtMost("auth.refresh_token_ttl", "auth.session_max_ttl", "a token is refused before it expires"),
    _AtMost("auth.refresh_grace", "auth.refresh_token_ttl", "a stolen token is never noticed"),
    _AtMost("job_queue.max_running", "job_queue.max_jobs", "jobs are refused before that many run"),
    _AtMost("job_queue.max_event_bytes", "job_queue.max_log_bytes", "a log ends before its first event"),
    _AtMost("job_queue.max_log_bytes", "job_queue.max_memory_bytes", "one job takes the memory of all"),
    _AtMost("job_queue.commit_interval", "job_queue.lease_ttl", "events of a dead process are lost unnoticed"),
    _AtMost("job_queue.publish_interval", "job_queue.stream_patience", "jobs are ended before Redis is tried again"),
    _AtMost("state.max_value_bytes", "state.max_user_bytes", "no value of that size is ever kept"),
    _AtMost("state.max_value_bytes", "state.buffer_bytes", "subscribers get such a value late, and as one missed"),
    _AtMost("state.max_user_bytes", "state.max_bytes", "one user takes the memory of all"),
    _AtMost("state.max_scope_subscriptions", "state.max_subscriptions", "one run takes the subscriptions of all"),
    _AtMost("tracing.heartbeat", "tracing.interrupted_after", "every run is shown as interrupted"),
    _AtMost("tracing.batch_size", "tracing.queue_size", "a batch is never full"),
    _AtMost("tracing.batch_bytes", "tracing.queue_bytes", "a batch is never full"),
    _AtMost("tracing.retry_delay", "tracing.retry_delay_max", "it is never waited that long"),
    _AtMost("tracing.vendor_batch_size", "tracing.vendor_queue_size", "a request to a vendor is never full"),
    _AtMost("tracing.vendor_batch_bytes", "tracing.vendor_queue_bytes", "a request to a vendor is never full"),
    _AtMost("tracing.vendor_retry_delay", "tracing.vendor_retry_delay_max", "it is never waited that long"),
    _AtMost("tracing.flush_timeout", "tracing.stop_timeout", "the last spans are cut off"),
    _AtMost("session.llm_retry_delay", "session.llm_max_retry_delay", "it is never waited that long"),
    _AtMost("server.drain_timeout", "server.stop_timeout", "open requests hold up the stop of the services"),
    _AtMost("database.pool_timeout", "job_queue.job_timeout", "a job waits for the database longer than it may take"),
)


def contradictions(values: Any) -> Iterator[Trouble]:
    """Each pair of settings that contradict each other."""
    for smaller, greater, otherwise in _RULES:
        low, high = _value(values, smaller), _value(values, greater)
        if low > high:
            yield Trouble(
                f"{smaller} is {low:g} and {greater} is {high:g}: {otherwise}",
                fix=f"lower {environment_name(tuple(smaller.split('.')))}, or raise "
                f"{environment_name(tuple(greater.split('.')))}",
            )


def _value(values: Any, key: str) -> float:
    group, name = key.split(".")
    return float(getattr(getattr(values, group), name))
