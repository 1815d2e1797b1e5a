"""How often anybody may try to log in: by account and by address, the same for names that nobody has."""

import hmac
import ipaddress
import uuid

import msgspec

from bedplate.services.auth.account_rules import username_key
from bedplate.services.auth.attempt_rate import Rate
from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.errors import LoginThrottledError
from bedplate.services.auth.models import Client
from bedplate.services.auth.throttle_store import Limit, ThrottleStore
from bedplate.services.engines.keyring import Keyring
from bedplate.services.errors import UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.auth import AuthSettings

__all__ = ["Attempt", "LoginThrottle"]

MINUTE = 60.0
IPV6_NETWORK = 64
"""Bits of an IPv6 address that count: whoever has one address has the whole network."""

_log = get_logger("bedplate.auth")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to log in, as it is counted.

    Attributes:
        account: Key of the account; None: not counted.
        address: Key of the address; None: not counted.
        client: Where it comes from.
    """

    account: str | None
    address: str | None
    client: Client

    @property
    def keys(self) -> list[str]:
        """Those that are counted."""
        return [key for key in (self.account, self.address) if key is not None]


class LoginThrottle:
    """Refuses attempts to log in when too many have failed.

    Failures are counted in the store, by account and by address, and survive restarts; so are all attempts from an
    address, right or wrong. Whether there is such an account makes no difference to anything here.

    Args:
        settings: The limits.
        store: Counts failures and attempts.
        keyring: Keys the hashes of names and addresses.
        audit: Records lockouts.

    Attributes:
        joins_transactions: Whether what is done in a transaction of the database is part of it; if not, it is nothing
            that should be waited for in one.
    """

    def __init__(self, settings: AuthSettings, store: ThrottleStore, keyring: Keyring, audit: Audit) -> None:
        self._settings = settings
        self._store = store
        self.joins_transactions = store.joins_transactions
        self._keyring = keyring
        self._audit = audit
        self._rate = Rate(attempts=settings.login_rate_per_address, period=MINUTE)
        longest = settings.login_lockout_max
        self._of_account = Limit(
            failures=settings.login_failures_per_account,
            window=settings.login_failure_window,
            lockout=settings.login_lockout,
            longest=longest,
        )
        self._of_address = Limit(
            failures=settings.login_failures_per_address,
            window=MINUTE,
            lockout=settings.login_lockout,
            longest=longest,
        )

    def attempt(self, username: str, client: Client) -> Attempt:
        """What an attempt is counted as."""
        # Names that are too long belong to nobody; a part of one is enough to count it by.
        name = username_key(username[: self._settings.username_max_length + 1])
        network = _network(client)
        return Attempt(
            account=self._key("account", name) if self._of_account.failures else None,
            address=self._key("address", network) if network and self._of_address.failures else None,
            client=client,
        )

    async def pace(self, client: Client) -> None:
        """Count something that hashes a password, and raise if it is one too many from its address.

        Raises:
            LoginThrottledError: It is.
        """
        network = _network(client)
        if network is None or not self._rate.attempts:
            return
        if wait := await self._store.hit(self._key("rate", network), self._rate):
            raise LoginThrottledError(wait)

    async def admit(self, attempt: Attempt) -> None:
        """Raise unless an attempt may go on; before the password is looked at.

        Raises:
            LoginThrottledError: Its account or address is locked, or it is one too many from its address.
        """
        await self.pace(attempt.client)
        await self.check(attempt)

    async def check(self, attempt: Attempt) -> None:
        """Raise if account or address are locked.

        Asked before the password is verified, and before the user is let in, within the same transaction if there can
        be one: of any number of guesses at once, no more than the limit allows learn whether they were right.

        Raises:
            LoginThrottledError: They were.
        """
        if wait := await self._store.locked_for(attempt.keys):
            raise LoginThrottledError(wait)

    async def failed(self, attempt: Attempt, user_id: uuid.UUID | None) -> bool:
        """Count a wrong password or unknown name, and lock account or address if it was one too many.

        Args:
            attempt: The attempt.
            user_id: The account, if there is one; for the audit log.

        Returns:
            Whether the attempt may be told that it failed: False if account or address were locked meanwhile.
        """
        counted = True
        for by, key, limit in (
            ("account", attempt.account, self._of_account),
            ("address", attempt.address, self._of_address),
        ):
            if key is None:
                continue
            seconds = await self._store.fail(key, limit)
            if not seconds:
                counted = counted and seconds is not None
                continue
            _log.warning("locked out", by=by, seconds=seconds, user_id=user_id and str(user_id))
            await self._audit.record(
                AuditKind.LOCKED_OUT,
                user_id=user_id,
                client=attempt.client,
                details={"by": by, "seconds": int(seconds)},
            )
        return counted

    async def succeeded(self, attempt: Attempt) -> None:
        """Forget the failures of an account; those of the address stay, since its other guesses may be at others."""
        if attempt.account is None:
            return
        try:
            await self._store.clear(attempt.account)
        except UnavailableError as error:
            if self.joins_transactions:
                raise
            _log.warning("the failures before a login were not forgotten", error=error.code)  # who is in stays in

    async def unlock(self, username: str) -> bool:
        """Forget failures and lockouts of an account; whether there were any."""
        account = self.attempt(username, Client()).account
        return account is not None and await self._store.clear(account)

    async def check_store(self) -> None:
        """Raise if failures cannot be counted."""
        await self._store.check()

    async def prune(self) -> int:
        """Forget what is too old to count."""
        return await self._store.prune()

    def _key(self, kind: str, value: str) -> str:
        secret = self._keyring.derive("auth/throttle")
        return hmac.digest(secret, f"{kind}:{value}".encode("utf-8", "surrogatepass"), "sha256").hex()


def _network(client: Client) -> str | None:
    """The part of an address that attempts are counted by; None without an address that tells clients apart."""
    if client.address is None:
        return None
    try:
        found = ipaddress.ip_address(client.address)
    except ValueError:
        return client.address[:64]  # a socket's name, or that of a test
    if client.proxied and found.is_private:
        # That of a proxy which the server was not told to trust: one attacker would lock everybody out.
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.ip_network((found, IPV6_NETWORK), strict=False))
        return str(found.ipv4_mapped)
    return str(found)
