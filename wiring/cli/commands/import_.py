"""``bedplate import``: what another system holds."""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bedplate.services.errors import InvalidInputError
from bedplate.wiring.cli.output import Format, print_json, print_table

if TYPE_CHECKING:
    from bedplate.wiring.langflow import ImportReport

app = typer.Typer(no_args_is_help=True, add_completion=False)

_MAX_KEY = 4096


@app.callback()
def import_() -> None:
    """Carry over what another system holds."""


@app.command()
def langflow(
    url: Annotated[str, typer.Argument(help="Its database: a path, sqlite:///… or postgresql://…")],
    config_dir: Annotated[
        Path | None, typer.Option(help="Its configuration directory, where files and the secret key are.")
    ] = None,
    secret_key_file: Annotated[
        Path | None, typer.Option(help="A file with its secret key; by default secret_key in the directory.")
    ] = None,
    secret_key_stdin: Annotated[
        bool, typer.Option("--secret-key-stdin", help="Read its secret key from standard input.")
    ] = False,
    map_user: Annotated[
        list[str] | None, typer.Option(metavar="THERE=HERE", help="A user there who is a user here; can be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report, and store nothing.")] = False,
    output: Annotated[Format, typer.Option("--format", help="How to print the report.")] = Format.TABLE,
) -> None:
    """Carry over users, projects, flows, messages, variables, files and API keys of Langflow 1.6.

    All of it or, if anything fails, nothing. It can be repeated: what is here already stays as it is. Credentials
    need the secret key of Langflow, which is asked for; passwords and API keys go on working.
    """
    users = _mapping(map_user or ())
    key = _secret_key(config_dir, secret_key_file, from_stdin=secret_key_stdin)
    report = asyncio.run(_import(url, key, config_dir, users, dry=dry_run))
    if output is Format.JSON:
        counts = {
            table: {outcome.value: rows for outcome, rows in found.items()} for table, found in report.counts.items()
        }
        print_json({"dry_run": dry_run, "counts": counts, "entries": report.entries})
    else:
        _print(report, dry=dry_run)


async def _import(
    url: str, secret_key: str | None, folder: Path | None, users: Mapping[str, str], *, dry: bool
) -> "ImportReport":
    from bedplate.wiring.cli.boot import running
    from bedplate.wiring.langflow import LangflowImport, LangflowSource
    from bedplate.wiring.langflow.secrets import LangflowSecrets

    secrets = LangflowSecrets(secret_key)
    async with LangflowSource.open(url) as source, running("variable", "storage") as container:
        return await LangflowImport(container, secrets, folder=folder, users=users).run(source, dry=dry)


def _print(report: "ImportReport", *, dry: bool) -> None:
    from bedplate.wiring.langflow import Outcome

    outcomes = list(Outcome)
    rows = ((table, *(str(counts.get(one, 0)) for one in outcomes)) for table, counts in report.counts.items())
    print_table(("table", *outcomes), rows)
    if report.entries:
        sys.stdout.write("\n")
        print_table(
            ("table", "row", "name", "rows", "outcome", "why"),
            ((one.table, one.id, one.name, str(one.rows), one.outcome, one.reason) for one in report.entries),
        )
    if dry:
        sys.stdout.write("\nnothing was stored: this was a dry run\n")


def _mapping(pairs: Sequence[str]) -> dict[str, str]:
    return dict(_pairs(pairs))


def _pairs(pairs: Sequence[str]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        there, equals, here = pair.partition("=")
        if not (there and equals and here):
            raise InvalidInputError(f"{pair!r} names no two users", fix="write --map-user there=here")
        yield there, here


def _secret_key(folder: Path | None, file: Path | None, *, from_stdin: bool) -> str | None:
    """The secret key of Langflow; None where none was given and there is nobody to ask."""
    if from_stdin:
        from bedplate.wiring.cli.ask import ask_secret

        return ask_secret("Secret key of Langflow", from_stdin=True, option="--secret-key-stdin")
    found = file or (folder / "secret_key" if folder and (folder / "secret_key").is_file() else None)
    if found is not None:
        return _read(found)
    if not sys.stdin.isatty():
        return None
    return typer.prompt("Secret key of Langflow (empty: none)", default="", hide_input=True, show_default=False) or None


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            key = file.read(_MAX_KEY).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"the secret key cannot be read from {str(path)!r}", why=type(error).__name__, fix="name a file of text"
        ) from None
    if not key:
        raise InvalidInputError(f"the file {str(path)!r} is empty", fix="name the file with the key")
    return key
