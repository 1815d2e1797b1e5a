"""Cron expressions: when a task of the system is due again and again."""

import zoneinfo
from datetime import UTC, datetime, timedelta

import msgspec
from cronsim import CronSim, CronSimError

from bedplate.services.task.errors import TaskScheduleError

__all__ = ["Cron"]


class Cron(msgspec.Struct, frozen=True):
    """A cron expression, in the dialect of Debian's cron: five fields, or six with seconds first.

    Attributes:
        expression: Such as ``"30 3 * * *"``.
        zone: The time zone that it is meant in, by its IANA name.

    Raises:
        TaskScheduleError: It is none, or it never fires, such as on the 30th of February.
    """

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        try:
            zone = zoneinfo.ZoneInfo(self.zone)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
            raise TaskScheduleError(
                f"there is no time zone {self.zone[:100]!r}", fix='use an IANA name such as "Europe/Paris", or "UTC"'
            ) from error
        try:
            next(CronSim(self.expression, datetime.now(zone)))
        except (CronSimError, StopIteration, ValueError, OverflowError, AttributeError) as error:
            why = f": {error}" if str(error) else ""
            raise TaskScheduleError(
                f"the cron expression {str(self.expression)[:100]!r} never fires{why}",
                fix='use minute, hour, day, month and weekday, as in "30 3 * * *"',
            ) from error

    def following(self, moment: datetime) -> datetime:
        """The first time after a moment at which it fires, in UTC."""
        return next(CronSim(self.expression, moment.astimezone(zoneinfo.ZoneInfo(self.zone)))).astimezone(UTC)

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """The last time after ``after``, and not after ``until``, at which it fires; None if it does not."""
        at = until.astimezone(zoneinfo.ZoneInfo(self.zone)) + timedelta(seconds=1)
        found = next(CronSim(self.expression, at.replace(microsecond=0), reverse=True)).astimezone(UTC)
        return found if after < found <= until else None
