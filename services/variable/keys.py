"""The keys that values are sealed with: proved at start, made and changed while the service runs."""

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import inf

import msgspec

from bedplate.services.database.models import utc_now
from bedplate.services.engines.cipher import Cipher, SealError
from bedplate.services.variable.backend import DataKey, VariableBackend
from bedplate.services.variable.errors import WrongKeyError

__all__ = ["DataKeys", "Master"]

_TEXT = b"bedplate"
_CANARY = b"canary\0"
_WRAPPED = b"data-key\0"
_KEY_ID = slice(1, 7)

_RELOAD_INTERVAL = 1.0
"""Seconds before keys are read again on behalf of a value whose key is not known."""


class Master(msgspec.Struct, frozen=True, kw_only=True):
    """What is derived from a secret key.

    Attributes:
        key_id: Tells the secret key from others.
        wrapping: Seals keys.
        sealing: Seals values, as long as they have no key of their own.
    """

    key_id: str
    wrapping: Cipher
    sealing: Cipher


class DataKeys:
    """The keys of one installation. The latest seals, the others open what was sealed with them.

    Values begin with a key that is derived from the secret key; each rotation makes a random one, kept sealed with the
    secret key. So a rotation needs no new secret key, and running replicas learn of it by themselves.

    Args:
        backend: Where they are kept.
        masters: What is derived from the secret key of now, then from earlier ones.
        origin: Where the secret key comes from, for errors.
    """

    def __init__(self, backend: VariableBackend, masters: Sequence[Master], origin: str) -> None:
        self._backend = backend
        self._masters = {master.key_id: master for master in masters}
        self._master = masters[0]
        self._origin = origin
        self._ciphers: dict[str, Cipher] = {}
        self._keys: dict[str, DataKey] = {}
        self._loaded = 0.0
        self._counted = -inf
        self.usage: Mapping[str, int] = {}

    @property
    def current(self) -> Cipher:
        """The cipher that seals."""
        return self._ciphers[self.current_key.key_id]

    @property
    def current_key(self) -> DataKey:
        """The latest key that can be used."""
        return next(key for key_id, key in reversed(self._keys.items()) if key_id in self._ciphers)

    @property
    def oldest_in_use(self) -> datetime | None:
        """When the oldest key was made that a value is sealed with; None if there are no values."""
        return min((key.created_at for key in self._keys.values() if self.usage.get(key.key_id)), default=None)

    @property
    def stale(self) -> int:
        """How many values were not sealed with the key of now, when it was last counted."""
        return sum(count for key_id, count in self.usage.items() if key_id != self.current_key.key_id)

    @property
    def is_wrapped_anew(self) -> bool:
        """Whether every key that is sealed is so with the secret key of now."""
        return all(_master_of(key) in (None, self._master.key_id) for key in self._keys.values())

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Open a value with the key that it names.

        Raises:
            SealError: That key is not here, or the value was changed or belongs elsewhere.
        """
        cipher = self._ciphers.get(sealed[_KEY_ID].hex(), self._master.sealing)
        return cipher.open(sealed, context)

    async def prove(self, *, counted_within: float = 0.0) -> None:
        """Read the keys, and prove that all that are needed can be used; make the first one where there is none.

        Args:
            counted_within: Seconds for which what is sealed with each key is not counted again.

        Raises:
            WrongKeyError: Values, or all keys there are, need a secret key that is not here; or a proof is damaged.
        """
        await self.load(counted_within=counted_within)
        used = self.usage.keys()
        lost = (self._keys.keys() | used) - self._ciphers.keys() - {self._master.key_id}
        if lost & used or (lost and not self._ciphers):
            needed = {_master_of(self._keys[one]) or one if one in self._keys else one for one in lost}
            raise WrongKeyError(
                "the secret key is not the one that stored variables are encrypted with",
                why=f"they need the key {', '.join(sorted(needed))}; the key {self._master.key_id} was given, by "
                f"{self._origin}",
            )
        if self._master.key_id not in self._keys and not any(map(self._is_of_master, self._keys.values())):
            await self._add(self._master.sealing, None)
            await self.load()
        for key_id, cipher in self._ciphers.items():
            try:
                cipher.open(self._keys[key_id].canary, _CANARY)
            except SealError as error:
                raise WrongKeyError(f"the stored proof of the key {key_id} is damaged", why=str(error)) from None

    async def load(self, *, counted_within: float = 0.0) -> None:
        """Read the keys, and count what is sealed with each, unless that was done within so many seconds."""
        keys = {key.key_id: key for key in await self._backend.keys()}
        if keys.keys() != self._keys.keys() or time.monotonic() - self._counted >= counted_within:
            self.usage = await self._backend.key_usage()
            self._counted = time.monotonic()
        self._ciphers = {key_id: cipher for key_id, key in keys.items() if (cipher := self._cipher(key))}
        self._keys = keys
        self._loaded = time.monotonic()

    async def refresh(self) -> None:
        """Read the keys before something is sealed: another replica may have made a new one."""
        keys = await self._backend.keys()
        if [key.key_id for key in keys] != list(self._keys):
            await self.load()

    async def know(self, sealed: Iterable[bytes]) -> None:
        """Read the keys if a value is sealed with one that is not known, but not again and again."""
        unknown = any(value[_KEY_ID].hex() not in self._ciphers for value in sealed)
        if unknown and time.monotonic() - self._loaded > _RELOAD_INTERVAL:
            await self.load()

    async def make(self) -> None:
        """Make a new key, which seals from now on."""
        key = secrets.token_bytes(32)
        cipher = Cipher(key, secrets.token_hex(6))
        await self._add(cipher, self._master.wrapping.seal(key, _WRAPPED + bytes.fromhex(cipher.key_id)))
        await self.load()

    async def rewrap(self) -> None:
        """Seal the keys that an earlier secret key seals with that of now."""
        for key in self._keys.values():
            master = self._masters.get(_master_of(key) or "")
            if key.wrapped is None or master in (None, self._master):
                continue
            context = _WRAPPED + bytes.fromhex(key.key_id)
            plain = master.wrapping.open(key.wrapped, context)
            await self._backend.rewrap(key.key_id, old=key.wrapped, new=self._master.wrapping.seal(plain, context))
        await self.load()

    async def forget_unused(self, grace: float) -> int:
        """Delete the keys that no value needs, once the one of now is ``grace`` seconds old; how many there were.

        Before that, a replica may be about to store a value that it has sealed with the one before.
        """
        if (utc_now() - self.current_key.created_at).total_seconds() < grace:
            return 0
        count = await self._backend.delete_unused_keys(self.current_key.created_at, keep=self.current_key.key_id)
        if count:
            await self.load()
        return count

    async def _add(self, cipher: Cipher, wrapped: bytes | None) -> None:
        canary = cipher.seal(_TEXT, _CANARY)
        await self._backend.add_key(DataKey(key_id=cipher.key_id, canary=canary, wrapped=wrapped, created_at=utc_now()))

    def _cipher(self, key: DataKey) -> Cipher | None:
        master = self._masters.get(_master_of(key) or key.key_id)
        if master is None:
            return None
        if key.wrapped is None:
            return master.sealing
        try:
            return Cipher(master.wrapping.open(key.wrapped, _WRAPPED + bytes.fromhex(key.key_id)), key.key_id)
        except SealError as error:
            raise WrongKeyError(f"the stored key {key.key_id} is damaged", why=str(error)) from None

    def _is_of_master(self, key: DataKey) -> bool:
        return (_master_of(key) or key.key_id) == self._master.key_id


def _master_of(key: DataKey) -> str | None:
    """The id of the secret key that seals a key; None for one that is derived."""
    return None if key.wrapped is None else key.wrapped[_KEY_ID].hex()
