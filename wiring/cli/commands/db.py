"""``bedplate db``: the database schema."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from bedplate.services.database import DatabaseService

app = typer.Typer(no_args_is_help=True, add_completion=False)

T = TypeVar("T")

_WITH_RETENTION = ("chat", "session", "tracing", "variable")


@app.callback()
def db() -> None:
    """Look after the database: its schema, backups."""


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="A revision, +N for the next N, or head for the newest.")] = "head",
) -> None:
    """Bring the tables to a newer revision."""

    async def work(database: "DatabaseService") -> str | None:
        await database.migrations.upgrade(revision)
        return await database.migrations.current()

    sys.stdout.write(f"the database is at revision {_with_database(work) or 'none'}\n")


@app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="A revision, -N for the last N, or base for no tables at all.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Bring the tables back to an older revision; what it has no place for is lost."""
    if not yes:
        typer.confirm(f"Data that revision {revision} has no place for will be lost. Go on?", abort=True)

    async def work(database: "DatabaseService") -> str | None:
        await database.migrations.downgrade(revision)
        return await database.migrations.current()

    sys.stdout.write(f"the database is at revision {_with_database(work) or 'none'}\n")


@app.command()
def current() -> None:
    """Print the revision of the database, and the newest."""

    async def work(database: "DatabaseService") -> str:
        return f"{await database.migrations.current() or 'none'} (newest: {database.migrations.head})"

    sys.stdout.write(f"{_with_database(work)}\n")


@app.command()
def check() -> None:
    """Compare the tables with those of this release; exit code 1 if they differ."""

    async def work(database: "DatabaseService") -> list[str]:
        return await database.migrations.check()

    differences = _with_database(work)
    for difference in differences:
        sys.stdout.write(f"{difference}\n")
    if differences:
        raise typer.Exit(1)
    sys.stdout.write("the tables are those of this release\n")


@app.command()
def revision(
    message: Annotated[str, typer.Argument(help="What the revision does, in a few words.")],
    folder: Annotated[Path | None, typer.Option(help="Where to; by default among the others.")] = None,
) -> None:
    """Write the next revision from the difference between tables and models, for developers of Bedplate."""

    async def work(database: "DatabaseService") -> Path:
        return await database.migrations.revision(message, folder=folder)

    sys.stdout.write(f"{_with_database(work)}\n")


@app.command()
def prune() -> None:
    """Delete what is older, or more, than the settings keep, in small steps while servers run."""
    for name, count in asyncio.run(_prune()).items():
        sys.stdout.write(f"{name}: {count} deleted\n")


async def _prune() -> dict[str, int]:
    from bedplate.wiring.cli.boot import running

    counts = dict.fromkeys(_WITH_RETENTION, 0)
    async with running(*_WITH_RETENTION) as container:
        for name in _WITH_RETENTION:
            while some := await container.get(name).delete_old():
                counts[name] += some
    return counts


@app.command()
def backup(
    path: Annotated[
        Path | None, typer.Argument(help="The file; by default one of its own in the folder backups of the data.")
    ] = None,
) -> None:
    """Write a backup of the database, while servers run; the secret key and files are not in it."""

    async def work(database: "DatabaseService") -> str:
        made = await database.backups.create(path or _backup_path())
        return f"{made.path} holds the database at revision {made.revision}, {made.size} bytes"

    sys.stdout.write(f"{_with_database(work)}\n")


@app.command()
def restore(
    path: Annotated[Path, typer.Argument(help="A backup.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a backup in the place of the database, whose file is kept; every server must be stopped."""
    if not yes:
        typer.confirm(f"What was stored after {path} was made will not be in the database any more. Go on?", abort=True)

    async def work(database: "DatabaseService") -> str:
        restored, kept = await database.backups.restore(path)
        lines = [f"the database is that of {path}, at revision {restored.revision}"]
        if kept:
            lines.append(f"what it was before is in {kept}")
        if restored.revision != database.migrations.head:
            lines.append("the next start migrates it")
        return "\n".join(lines)

    sys.stdout.write(f"{_with_database(work)}\n")


def _backup_path() -> Path:
    from bedplate.services.database.models import utc_now
    from bedplate.services.settings import SettingsService

    return SettingsService().values.data_dir / "backups" / f"bedplate-{utc_now():%Y%m%dT%H%M%SZ}.db"


def _with_database(work: Callable[["DatabaseService"], Awaitable[T]]) -> T:
    """Do something to the database, with it built but not started: a start would migrate it."""

    async def run() -> T:
        from bedplate.wiring.cli.boot import running

        async with running("telemetry") as container:
            return await work(container.database())

    return asyncio.run(run())
