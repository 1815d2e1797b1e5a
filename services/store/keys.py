"""The store keys of users: sealed, bound to their user, and shown to nobody."""

import base64
import binascii
import re
import uuid
from collections.abc import Sequence

from pydantic import SecretStr

from bedplate.services.database import DatabaseService
from bedplate.services.database.repositories.store_key import StoreKeyRepository
from bedplate.services.engines.cipher import Cipher, SealError
from bedplate.services.engines.redactor import Redactor
from bedplate.services.logs import get_logger
from bedplate.services.store.errors import InvalidStoreKeyError, UnreadableStoreKeyError

__all__ = ["StoreKeys"]

MAX_KEY = 1024

_BATCH = 500

_KEY = re.compile(r"[\x21-\x7e]+")

_log = get_logger("bedplate.store")


class StoreKeys:
    """One key a user, for the store that is configured.

    Args:
        database: Keeps them, sealed.
        redactor: Masks them in logs, traces and errors.
        ciphers: The first one seals them; the others, of earlier secret keys, may have.
    """

    def __init__(self, database: DatabaseService, redactor: Redactor, ciphers: Sequence[Cipher]) -> None:
        self._database = database
        self._redactor = redactor
        self._ciphers = tuple(ciphers)

    async def save(self, user_id: uuid.UUID, key: SecretStr) -> None:
        """Keep the key of a user, in place of the one before.

        Raises:
            InvalidStoreKeyError: It cannot be a key: it is empty, too long, or no visible ASCII.
        """
        text = key.get_secret_value().strip()
        if len(text) > MAX_KEY or not _KEY.fullmatch(text):
            raise InvalidStoreKeyError(
                "a store key has 1 to 1,024 visible ASCII characters and no space", fix="copy the key again"
            )
        sealed = self._sealed(user_id, text)
        async with self._database.transaction() as session:
            await StoreKeyRepository(session).set(user_id, sealed)
        self._redactor.retire(_holder(user_id), keep=text)
        self._redactor.register(text, holder=_holder(user_id))
        _log.info("store key saved", user_id=str(user_id))

    async def delete(self, user_id: uuid.UUID) -> None:
        """Forget the key of a user; do nothing if there is none."""
        async with self._database.transaction() as session:
            await StoreKeyRepository(session).set(user_id, None)
        self._redactor.retire(_holder(user_id))

    async def get(self, user_id: uuid.UUID) -> SecretStr | None:
        """The key of a user; None if there is none.

        Raises:
            UnreadableStoreKeyError: It cannot be decrypted: it was changed, or sealed with another secret key.
        """
        async with self._database.session() as session:
            stored = await StoreKeyRepository(session).get(user_id)
        if not stored:
            return None
        text, is_current = self._opened(user_id, stored)
        if not is_current:
            await self._renew(user_id, stored, text)
        self._redactor.register(text, holder=_holder(user_id))
        return SecretStr(text)

    async def reseal(self) -> int:
        """Seal every key with the secret key of now that is sealed with an earlier one; how many were.

        What cannot be decrypted is left as it is.
        """
        resealed, after = 0, None
        while found := await self._page(after):
            for user_id, stored in found:
                try:
                    text, is_current = self._opened(user_id, stored)
                except UnreadableStoreKeyError:
                    continue
                if not is_current:
                    resealed += await self._renew(user_id, stored, text)
            after = found[-1][0]
        return resealed

    async def _page(self, after: uuid.UUID | None) -> Sequence[tuple[uuid.UUID, str]]:
        async with self._database.session() as session:
            return await StoreKeyRepository(session).page(after, _BATCH)

    async def _renew(self, user_id: uuid.UUID, stored: str, text: str) -> bool:
        async with self._database.transaction() as session:
            return await StoreKeyRepository(session).replace(user_id, stored, self._sealed(user_id, text))

    def _sealed(self, user_id: uuid.UUID, text: str) -> str:
        return base64.urlsafe_b64encode(self._ciphers[0].seal(text.encode(), _context(user_id))).decode()

    def _opened(self, user_id: uuid.UUID, stored: str) -> tuple[str, bool]:
        """The key, and whether the secret key of now has sealed it."""
        why = "it is not of the form of a sealed key"
        try:
            sealed = base64.urlsafe_b64decode(stored)
        except (binascii.Error, ValueError):
            sealed = b""
        for cipher in self._ciphers:
            try:
                return cipher.open(sealed, _context(user_id)).decode(), cipher is self._ciphers[0]
            except SealError as error:
                why = str(error)
        _log.warning("a store key cannot be decrypted", user_id=str(user_id), why=why)
        raise UnreadableStoreKeyError(why)


def _context(user_id: uuid.UUID) -> bytes:
    return b"store-key\0" + user_id.bytes


def _holder(user_id: uuid.UUID) -> tuple[str, uuid.UUID]:
    return "store-key", user_id
