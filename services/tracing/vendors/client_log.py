"""Keeps the HTTP client of vendors out of the log, which would have a line for every request."""

import logging
from typing import Final

__all__ = ["QuietClient"]

_LOGGERS: Final = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
_THREADS: Final = "bedplate-tracing-"


class QuietClient(logging.Filter):
    """Drops what the client's libraries log in the threads of vendors, between :meth:`begin` and :meth:`end`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See :meth:`logging.Filter.filter`."""
        return not (record.threadName or "").startswith(_THREADS)

    def begin(self) -> None:
        """Begin to drop."""
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)

    def end(self) -> None:
        """Drop nothing more."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self)
