"""How the first superuser comes to be: by a one-time link, on the command line, or from the settings."""

import hashlib
import secrets
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from bedplate.services.auth.account_rules import to_user, username_key
from bedplate.services.auth.accounts import Accounts
from bedplate.services.auth.errors import (
    InvalidPasswordError,
    InvalidSetupTokenError,
    InvalidUsernameError,
    SetupCompletedError,
    UsernameTakenError,
)
from bedplate.services.auth.models import Client, SetupToken, User
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import SetupTokenRow, utc_now
from bedplate.services.database.repositories.setup_token import SetupTokenRepository
from bedplate.services.database.repositories.user import UserRepository
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import ConfigurationError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings.groups.auth import AuthSettings

__all__ = ["Setup"]

_log = get_logger("bedplate.auth")


class Setup:
    """Makes superusers. There is no default account: until somebody makes one, nobody administrates.

    Args:
        settings: Lifetime of the link; the superuser to make.
        database: Keeps the hash of the link's token.
        accounts: Makes the account.
        workers: Reads the password's file.
    """

    def __init__(self, settings: AuthSettings, database: DatabaseService, accounts: Accounts, workers: Workers) -> None:
        self._settings = settings
        self._database = database
        self._accounts = accounts
        self._workers = workers

    async def needed(self) -> bool:
        """Whether there is no superuser yet."""
        async with self._database.session() as session:
            return not await UserRepository(session).has_superuser()

    async def new_token(self) -> SetupToken | None:
        """A new one-time token, which replaces any other; None where there is a superuser."""
        secret = secrets.token_urlsafe(32)
        row = SetupTokenRow(
            token_hash=_digest(secret), expires_at=utc_now() + timedelta(seconds=self._settings.setup_ttl)
        )
        async with self._database.transaction() as session:
            if await UserRepository(session).has_superuser():
                return None
            await SetupTokenRepository(session).replace(row)
        return SetupToken(secret=SecretStr(secret), expires_at=row.expires_at)

    async def check(self, token: str) -> None:
        """Raise unless the token is good.

        Raises:
            SetupCompletedError: There is a superuser.
            InvalidSetupTokenError: It is unknown, used or expired.
        """
        async with self._database.session() as session:
            if await UserRepository(session).has_superuser():
                raise SetupCompletedError
            if not await SetupTokenRepository(session).good(_digest(token), utc_now()):
                raise InvalidSetupTokenError(fix="restart the server, which prints a new link")

    async def complete(self, token: str, username: str, password: str, client: Client) -> User:
        """Make the first superuser; the token is used up by success alone. Of several callers at once, one succeeds.

        Raises:
            SetupCompletedError: There is a superuser.
            InvalidSetupTokenError: The token is unknown, used or expired.
            InvalidUsernameError: The name cannot be used.
            InvalidPasswordError: The password cannot be used.
            UsernameTakenError: An ordinary user has the name.
        """
        await self.check(token)  # before the costly hashing, which nobody without the link may cause
        row = await self._accounts.draft(username, password)
        row.is_active = row.is_superuser = True
        async with self._accounts.adding(row, by="set-up link", client=client) as session:
            # Whoever makes a superuser takes the token away in the same transaction, so that it alone decides.
            if not await SetupTokenRepository(session).consume(_digest(token), utc_now()):
                raise InvalidSetupTokenError
        _log.warning("superuser created", user_id=str(row.id), by="set-up link")
        return to_user(row)

    async def create_superuser(self, username: str, password: str, *, by: str) -> User:
        """Make a superuser, whoever else is one; an open link is closed.

        Raises:
            InvalidUsernameError: The name cannot be used.
            InvalidPasswordError: The password cannot be used.
            UsernameTakenError: Somebody has the name.
        """
        row = await self._accounts.draft(username, password)
        row.is_active = row.is_superuser = True
        async with self._accounts.adding(row, by=by) as session:
            await SetupTokenRepository(session).clear()
        _log.warning("superuser created", user_id=str(row.id), by=by)
        return to_user(row)

    async def provision(self) -> None:
        """Make the superuser of the settings where there is none; replicas may do so at once.

        Raises:
            ConfigurationError: The settings are incomplete, contradict each other, or name somebody else's account.
        """
        username = self._settings.superuser
        if username is None or not await self.needed():
            return
        password = await self._password(username)
        try:
            await self.create_superuser(username, password, by="settings")
        except (InvalidUsernameError, InvalidPasswordError) as error:
            raise ConfigurationError(
                f"the superuser of the settings cannot be made: {error.what}",
                service=ServiceType.AUTH,
                fix="correct BEDPLATE_AUTH__SUPERUSER, or BEDPLATE_AUTH__SUPERUSER_PASSWORD or its file",
            ) from None
        except UsernameTakenError:
            if await self._is_superuser(username):
                return  # another replica was faster
            raise ConfigurationError(
                f"the account {username!r} exists and is no superuser",
                service=ServiceType.AUTH,
                why="a name that somebody signed up with is not made a superuser",
                fix="set BEDPLATE_AUTH__SUPERUSER to another name, or run: bedplate superuser create",
            ) from None

    async def _is_superuser(self, username: str) -> bool:
        async with self._database.session() as session:
            row = await UserRepository(session).by_name(username_key(username))
        return row is not None and row.is_superuser

    async def _password(self, username: str) -> str:
        given, file = self._settings.superuser_password, self._settings.superuser_password_file
        if (given is None) == (file is None):
            raise ConfigurationError(
                f"the superuser {username!r} has {'no password' if given is None else 'two passwords'}",
                service=ServiceType.AUTH,
                fix="set one of BEDPLATE_AUTH__SUPERUSER_PASSWORD and BEDPLATE_AUTH__SUPERUSER_PASSWORD_FILE",
            )
        if file is not None:
            return await self._workers.run("auth", 1, _read, file)
        return given.get_secret_value() if given else ""


def _read(file: Path) -> str:
    try:
        # Editors and `echo` end the line; secret mounts do not.
        return file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the file {str(file)!r} with the superuser's password cannot be read",
            service=ServiceType.AUTH,
            why=type(error).__name__,
            fix="correct BEDPLATE_AUTH__SUPERUSER_PASSWORD_FILE, or the rights of the file",
        ) from None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
