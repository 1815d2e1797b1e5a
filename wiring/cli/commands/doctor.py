"""``bedplate doctor``: what will go wrong, and what to do about it."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from bedplate.services.checks import Finding, Severity
from bedplate.services.errors import BedplateError
from bedplate.services.settings import SettingsError
from bedplate.wiring.cli.output import print_json

app = typer.Typer(add_completion=False)

_FAILED = 1


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look for what will go wrong, in settings, files and database; exit code 1 if there is an error."""
    findings = _findings()
    if as_json:
        print_json(findings)
    else:
        sys.stdout.write(_text(findings))
    if any(one.severity is Severity.ERROR for one in findings):
        raise typer.Exit(_FAILED)


def _findings() -> list[Finding]:
    from bedplate.containers import application_container

    try:
        return asyncio.run(application_container().examine())
    except SettingsError as error:
        return [
            _error("settings.invalid", f"{one.key} [{one.origin}, {one.shape}]: {one.what}", one.fix)
            for one in error.problems
        ]
    except BedplateError as error:
        return [_error(f"{error.service or 'container'}.{error.code}", error.what, error.fix or "see what it says")]


def _error(check: str, what: str, fix: str) -> Finding:
    return Finding(check=check, severity=Severity.ERROR, what=what, fix=fix)


def _text(findings: Sequence[Finding]) -> str:
    return "\n".join(_lines(findings)) + "\n"


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    for one in findings:
        yield from (f"{one.severity:<7}  {one.check}", f"    {one.what}", f"    fix: {one.fix}", "")
    counts = ((sum(one.severity is severity for one in findings), severity) for severity in Severity)
    found = [f"{count} {severity}{'s'[: count != 1]}" for count, severity in counts if count]
    yield ", ".join(found) if found else "nothing to say: every check is content"
