"""What Bedplate asks of Celery: one task, whose message is the id of a run, and nothing that a pickle could be in."""

import math
import ssl
import time
import uuid
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from celery import Celery
from celery.exceptions import Reject
from kombu import Queue

from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.task.celery_broker import BrokerAddress, queues_of

__all__ = ["MESSAGE", "Deliver", "NotAcceptingError", "level_of", "make_app"]

MESSAGE: Final = "bedplate.run"
"""The task of Celery that every run of every task is."""

_LEVELS: Final = 10
_MIDDLE: Final = 5
_REFUSAL: Final = 0.5
_RESTORE_OFTEN: Final = 60.0
"""A visibility timeout below this many seconds is looked at every second."""

Deliver = Callable[[uuid.UUID], None]
"""Executes a run to the end of its attempt; called on a thread of Celery's."""


class NotAcceptingError(Exception):
    """Raised by a :data:`Deliver`: this process takes no runs now, or no more; the message is for another one."""


def make_app(values: TaskSettings, address: BrokerAddress, deliver: Deliver | None = None) -> Any:
    """An application of Celery; nothing is connected before it is used.

    Args:
        values: The settings of tasks.
        address: The broker.
        deliver: Executes runs; None: the application only sends messages.
    """
    app = Celery("bedplate", broker=_url(address), backend="disabled", set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        event_serializer="json",
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_default_queue=values.broker_queue,
        task_queues=[
            Queue(name, routing_key=name, queue_arguments=None if address.is_redis else {"x-max-priority": _LEVELS - 1})
            for name in queues_of(values)
        ],
        task_create_missing_queues=False,
        # A message is kept until its run has ended: what a worker that dies has not begun goes to another.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=values.worker_max_tasks or None,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Runs are looked at and cancelled through their rows: nobody who reaches the broker commands a worker.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=values.start_timeout,
        broker_connection_timeout=address.timeout,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_use_ssl=_tls(address),
        broker_transport_options=_transport(values, address),
    )
    if address.is_redis:
        from bedplate.services.task.celery_redis import PrimaryConnection

        app.amqp.Connection = PrimaryConnection
    if deliver is not None:
        _register(app, deliver)
    return app


def level_of(priority: int, address: BrokerAddress) -> int:
    """The level of a priority at the broker, which has ten: those from -5 to 4 have one each."""
    level = min(max(priority + _MIDDLE, 0), _LEVELS - 1)
    return _LEVELS - 1 - level if address.is_redis else level  # on Redis, 0 goes first


def _register(app: Any, deliver: Deliver) -> None:
    @app.task(name=MESSAGE, shared=False)  # type: ignore[untyped-decorator]  # Celery has no types
    def run(run_id: str) -> None:
        try:
            deliver(uuid.UUID(run_id))
        except NotAcceptingError:
            time.sleep(_REFUSAL)  # it may be the only one that is there, and would get the message again at once
            raise Reject("this process takes no runs now", requeue=True) from None


def _url(address: BrokerAddress) -> str:
    if address.scheme == "unix":
        parts = urlsplit(address.url)
        return f"redis+socket://{parts.path}{f'?{parts.query}' if parts.query else ''}"
    return address.url


def _tls(address: BrokerAddress) -> dict[str, Any] | None:
    """How the certificate of the broker is checked; without this, the library checks none."""
    if address.scheme == "rediss":
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": address.ca_file, "ssl_check_hostname": True}
    if address.scheme == "amqps":
        host = urlsplit(address.url).hostname
        return {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": address.ca_file, "server_hostname": host}
    return None


def _transport(values: TaskSettings, address: BrokerAddress) -> dict[str, Any]:
    if not address.is_redis:
        return {"confirm_publish": True}
    often = values.broker_visibility_timeout < _RESTORE_OFTEN
    return {
        "visibility_timeout": values.broker_visibility_timeout,
        "priority_steps": list(range(_LEVELS)),
        "queue_order_strategy": "priority",
        "global_keyprefix": address.key_prefix,
        "socket_timeout": address.timeout,
        "socket_connect_timeout": address.timeout,
        "socket_keepalive": True,
        # A worker gives a connection up on which nothing comes for about twice this; the library would wait for 51 s.
        "health_check_interval": math.ceil(address.timeout),
        "client_name": "bedplate-celery",
        **({"unacked_restore_interval": 1, "unacked_restore_throttle": 1} if often else {}),
    }
