"""What the doctor looks at on behalf of the database service."""

import asyncio
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check
from bedplate.services.database.models import PREFIX, metadata
from bedplate.services.database.revisions import OWN
from bedplate.services.errors import BedplateError

if TYPE_CHECKING:
    from bedplate.services.database.service import DatabaseService

__all__ = ["CHECKS"]

_PATIENCE = 5.0
_CLOCK_LEEWAY = 60.0
_MADE_HERE = ("auth_session", "instance")
"""Tables whose ids are made by this code alone, and tell when."""


@check("database.schema", Severity.ERROR, "The tables are those of this release")
async def _schema(database: "DatabaseService", around: Surroundings) -> Iterable[Trouble]:
    if around.started or not database.exists():
        return ()
    try:
        async with asyncio.timeout(_PATIENCE):
            current = await database.migrations.current()
        OWN.require_known(current)
    except BedplateError as error:
        return [Trouble(str(error.what) + (f" ({error.why})" if error.why else ""), error.fix or "see the log")]
    except TimeoutError:
        return [Trouble(f"the database does not answer within {_PATIENCE:g} s", "see what keeps it busy")]
    if current == database.migrations.head:
        return ()
    what = f"the schema is at revision {current or 'none'}, and this release needs {database.migrations.head}"
    if around.values.database.migrate:
        return [Trouble(f"{what}: the next start migrates it", "back it up first: bedplate db backup", Severity.NOTE)]
    return [Trouble(f"{what}; BEDPLATE_DATABASE__MIGRATE is off", "run: bedplate db upgrade")]


@check("database.in-memory", Severity.WARNING, "What is stored outlives the process")
def _in_memory(database: "DatabaseService", around: Surroundings) -> Iterable[Trouble]:
    if not database.is_kept and around.values.profile != "test":
        yield Trouble("the database is in memory: a restart loses everything", "unset BEDPLATE_DATABASE__URL")


@check("database.clock", Severity.ERROR, "The clock of this machine is not behind the rows in the database")
async def _clock(database: "DatabaseService", around: Surroundings) -> Iterable[Trouble]:
    if not around.started:
        return ()
    latest = 0.0
    async with database.session() as session:
        for name in _MADE_HERE:
            column = metadata.tables[f"{PREFIX}{name}"].c.id
            newest = await session.scalar(sa.select(column).order_by(column.desc()).limit(1))
            latest = max(latest, _made_at(newest))
    ahead = latest - time.time()
    if ahead <= _CLOCK_LEEWAY:
        return ()
    return [
        Trouble(
            f"the newest row was made {ahead:.0f} s in the future of this machine's clock: tokens and leases will "
            "end too early or too late",
            "set the clock (NTP), on this machine or on the one that wrote last",
        )
    ]


CHECKS: tuple[Check, ...] = (_schema, _in_memory, _clock)


def _made_at(row_id: uuid.UUID | None) -> float:
    """When an id of version 7 was made, as a POSIX time; 0 for any other."""
    return (row_id.int >> 80) / 1000 if row_id is not None and row_id.version == 7 else 0.0
