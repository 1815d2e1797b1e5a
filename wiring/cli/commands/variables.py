"""``bedplate variables``: the variables and credentials of a user."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bedplate.wiring.cli.output import Format, print_json, print_table

if TYPE_CHECKING:
    from bedplate.services.variable import Rotation, Variable, VariableService

app = typer.Typer(no_args_is_help=True, add_completion=False)

User = Annotated[str, typer.Option("--user", help="The name of the user.")]
Name = Annotated[str, typer.Argument(help="The name of the variable.")]


class Kind(StrEnum):
    """The types of variables."""

    CREDENTIAL = "Credential"
    GENERIC = "Generic"


@app.callback()
def variables() -> None:
    """List, set and delete the variables of a user; encrypt all of them with a new key."""


@app.command("list")
def list_variables(
    user: User,
    output: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.TABLE,
) -> None:
    """List the variables of a user; the values of credentials are never shown."""
    found = asyncio.run(_list(user))
    if output is Format.JSON:
        print_json([{"name": one.name, "type": one.type, "value": one.value} for one in found])
    else:
        rows = ((one.name, one.type, one.value if one.value is not None else "**********") for one in found)
        print_table(("name", "type", "value"), rows)


@app.command("set")
def set_variable(
    name: Name,
    user: User,
    kind: Annotated[
        Kind | None, typer.Option("--type", help="Its type; a new one is a Credential.", case_sensitive=False)
    ] = None,
    value_stdin: Annotated[
        bool, typer.Option("--value-stdin", help="Read the value from the first line of standard input.")
    ] = False,
) -> None:
    """Make a variable, or replace its value; the value is asked for."""
    from bedplate.wiring.cli.ask import ask_secret

    value = ask_secret("Value", from_stdin=value_stdin, option="--value-stdin")
    made = asyncio.run(_set(user, name, value, kind))
    sys.stdout.write(f"{name} is {'made' if made else 'changed'}\n")


@app.command("delete")
def delete_variable(name: Name, user: User) -> None:
    """Delete a variable."""
    asyncio.run(_delete(user, name))
    sys.stdout.write(f"{name} is deleted\n")


@app.command()
def rotate() -> None:
    """Encrypt the values of all users with a new key, while servers run; broken off, it goes on where it was.

    Store keys that an earlier secret key encrypts are encrypted with the one of now.
    """
    done = asyncio.run(_rotate())
    sys.stdout.write(f"{done.resealed} values are encrypted with the key {done.key_id}\n")
    if done.left:
        sys.stderr.write(f"{done.left} are not: {done.failed} cannot be decrypted, the others were changed meanwhile\n")
        raise typer.Exit(1)


async def _rotate() -> "Rotation":
    from bedplate.wiring.cli.boot import running

    def tell(progress: "Rotation") -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{progress.resealed} encrypted, {progress.left} left\033[K")

    async with running("variable", "store") as container:
        done = await container.variable().rotate(tell)
        await container.store().reseal_keys()
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    return done


async def _list(user: str) -> "list[Variable]":
    async with _variables_of(user) as (service, user_id):
        return await service.list(user_id)


async def _set(user: str, name: str, value: str, kind: Kind | None) -> bool:
    from bedplate.services.variable import VariableNotFoundError

    async with _variables_of(user) as (service, user_id):
        try:
            await service.update(user_id, name, value=value, type=kind)
        except VariableNotFoundError:
            await service.create(user_id, name, value, type=kind or Kind.CREDENTIAL)
            return True
        return False


async def _delete(user: str, name: str) -> None:
    async with _variables_of(user) as (service, user_id):
        await service.delete(user_id, name)


@asynccontextmanager
async def _variables_of(user: str) -> "AsyncIterator[tuple[VariableService, uuid.UUID]]":
    from bedplate.wiring.cli.boot import running

    async with running("variable") as container:
        owner = await container.auth().users.named(user)
        yield container.variable(), owner.id
