"""Users and their API keys."""

import uuid
from collections.abc import Mapping
from typing import Final

import bcrypt
import msgspec
from sqlmodel import col, select

from bedplate.services.auth.account_rules import check_optins, check_username, username_key
from bedplate.services.auth.key_format import SHOWN, hash_key, well_formed
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import ApiKeyRow, UserRow, utc_now
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import BedplateError, InvalidInputError
from bedplate.services.settings import Settings
from bedplate.wiring.langflow.errors import UnusableError
from bedplate.wiring.langflow.owners import Owners
from bedplate.wiring.langflow.report import ImportReport
from bedplate.wiring.langflow.secrets import LangflowSecrets, looks_encrypted
from bedplate.wiring.langflow.source import LangflowSource
from bedplate.wiring.langflow.target import Target
from bedplate.wiring.langflow.values import SourceRow

__all__ = ["UserPlan", "carry_api_keys", "plan_users"]

_BCRYPT: Final = ("$2a$", "$2b$", "$2y$")
_WELL_KNOWN: Final = b"langflow"
"""The password of the superuser that Langflow makes unless told otherwise."""


class UserPlan(msgspec.Struct, frozen=True):
    """Who the users of the source are here.

    Attributes:
        owners: The users here, by the ids of those there.
        new: Those that are to be made.
    """

    owners: Owners
    new: list[UserRow]


async def plan_users(
    source: LangflowSource,
    database: DatabaseService,
    workers: Workers,
    settings: Settings,
    report: ImportReport,
    mapping: Mapping[str, str],
) -> UserPlan:
    """Find out who each user of the source is here, storing nothing.

    A user of the same id is the same user. One of the same name only is somebody else, unless ``mapping`` says so:
    whoever signed up here as ``ada`` must not be given the credentials of an ``ada`` from elsewhere.

    Args:
        source: The database of Langflow.
        database: The database of Bedplate.
        workers: Threads for what blocks.
        settings: The limits that apply here.
        report: What becomes of every row.
        mapping: Names here, by names there.

    Raises:
        InvalidInputError: ``mapping`` names a user that is in neither of the two.
    """
    here = await _users_here(database)
    by_id, plan, wanted = {id_ for id_, _ in here.values()}, UserPlan(Owners(), []), dict(mapping)
    async for row in source.rows("user"):
        key, name = row.id(), row.text("username")
        if (mapped := wanted.pop(name, None)) is not None:
            plan.owners[key] = _named(here, mapped)
            report.changed("user", key, name, [f"what belongs to it belongs to the user {mapped!r} here"])
        elif key in by_id:
            plan.owners[key] = key
            report.present("user")
        elif username_key(name) in here:
            report.left_out(
                "user", key, name, f"another user has the name here; if they are the same: --map-user '{name}={name}'"
            )
        else:
            await _plan_new(plan, row, workers, settings, report)
            here[username_key(name)] = (key, name)
    if wanted:
        raise InvalidInputError(f"Langflow has no user {next(iter(wanted))!r}", fix="write --map-user there=here")
    return plan


async def _users_here(database: DatabaseService) -> dict[str, tuple[uuid.UUID, str]]:
    async with database.session() as session:
        found = await session.exec(select(UserRow.username_key, UserRow.id, UserRow.username))
        return {key: (id_, name) for key, id_, name in found}


def _named(here: Mapping[str, tuple[uuid.UUID, str]], name: str) -> uuid.UUID:
    if (found := here.get(username_key(name))) is None:
        raise InvalidInputError(f"there is no user {name!r} here", fix="write --map-user there=here")
    return found[0]


async def _plan_new(plan: UserPlan, row: SourceRow, workers: Workers, settings: Settings, report: ImportReport) -> None:
    key, name = row.id(), row.text("username")
    try:
        made = _user(row, settings)
    except BedplateError as error:
        report.left_out("user", key, name, error.what)
        return
    reasons = []
    if not made.password_hash.startswith(_BCRYPT):
        reasons.append("its password hash is of no known kind: it cannot log in before a superuser resets the password")
    elif made.is_superuser and await workers.run("import", 1, _is_well_known, made.password_hash):
        made.is_active = False
        reasons.append("it has the well-known password of Langflow: deactivated until a superuser sets another")
    if row.text_or_none("store_api_key"):
        reasons.append("its key of the Langflow store was not carried over")
    plan.owners[key] = key
    plan.new.append(made)
    report.changed("user", key, name, reasons)


def _user(row: SourceRow, settings: Settings) -> UserRow:
    name, optins = row.text("username"), row.object("optins")
    check_username(name, settings.auth.username_max_length)
    check_optins(optins)
    made = row.time("create_at") or utc_now()
    return UserRow(
        id=row.id(),
        username=name,
        username_key=username_key(name),
        password_hash=row.text("password"),
        profile_image=row.text_or_none("profile_image"),
        is_active=row.flag("is_active"),
        is_superuser=row.flag("is_superuser"),
        created_at=made,
        updated_at=row.time("updated_at") or made,
        last_login_at=row.time("last_login_at"),
        optins=optins,
    )


def _is_well_known(encoded: str) -> bool:
    try:
        return bcrypt.checkpw(_WELL_KNOWN, encoded.encode())
    except ValueError:
        return False


async def carry_api_keys(source: LangflowSource, target: Target, secrets: LangflowSecrets) -> None:
    """Carry API keys over: they go on working, and from now on only their hashes are stored."""
    async for row in source.rows("apikey"):
        key, name = row.id(), row.text("name")
        try:
            made = _api_key(row, target, secrets)
            if await target.is_here(ApiKeyRow, key, made.user_id):
                target.report.present("apikey")
                continue
            await _check_unknown(target, made.key_hash)
        except BedplateError as error:
            target.report.left_out("apikey", key, name, error.what)
            continue
        await target.insert([made])
        target.report.carried("apikey")


async def _check_unknown(target: Target, key_hash: str) -> None:
    if (await target.session.exec(select(col(ApiKeyRow.id)).where(ApiKeyRow.key_hash == key_hash))).first():
        raise UnusableError("the same key is here under another id")


def _api_key(row: SourceRow, target: Target, secrets: LangflowSecrets) -> ApiKeyRow:
    secret = row.text("api_key")
    if looks_encrypted(secret):
        secret = secrets.open(secret)
    if not well_formed(secret):
        raise UnusableError("it is no key that could be sent")
    return ApiKeyRow(
        id=row.id(),
        user_id=target.owners.of(row),
        name=row.text_or_none("name"),
        prefix=secret[:SHOWN],
        length=len(secret),
        key_hash=hash_key(secret),
        is_active=row.flag("is_active", default=True),
        total_uses=row.number("total_uses"),
        last_used_at=row.time("last_used_at"),
        created_at=row.time("created_at") or utc_now(),
        expires_at=row.time("expires_at"),
    )
