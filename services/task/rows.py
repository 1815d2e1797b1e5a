"""From rows of the database to runs as callers see them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from bedplate.services.task.models import Progress, TaskRun, TaskStatus

__all__ = ["run_of"]

_progress = msgspec.json.Decoder(Progress).decode


def run_of(row: Mapping[str, Any]) -> TaskRun:
    """The run of a row, given by its columns."""
    read = {"arguments", "progress", "result", "status"}
    plain = {name: row[name] for name in TaskRun.__struct_fields__ if name not in read}
    return TaskRun(
        **plain,
        status=TaskStatus(row["status"]),
        arguments=msgspec.json.decode(row["arguments"]),
        progress=None if row["progress"] is None else _progress(row["progress"]),
        result=None if row["result"] is None else msgspec.json.decode(row["result"]),
    )
