"""The store keys of users: sealed, bound to their user, and shown to nobody."""

import base64
import binascii
import re
import uuid

from pydantic import SecretStr

from bedplate.services.database import DatabaseService
from bedplate.services.database.repositories.store_key import StoreKeyRepository
from bedplate.services.engines.cipher import Cipher, SealError
from bedplate.services.engines.redactor import Redactor
from bedplate.services.logs import get_logger
from bedplate.services.store.errors import InvalidStoreKeyError, UnreadableStoreKeyError

__all__ = ["StoreKeys"]

MAX_KEY = 1024

_KEY = re.compile(r"[\x21-\x7e]+")

_log = get_logger("bedplate.store")


class StoreKeys:
    """One key a user, for the store that is configured.

    Args:
        database: Keeps them, sealed.
        redactor: Masks them in logs, traces and errors.
        cipher: Seals them.
    """

    def __init__(self, database: DatabaseService, redactor: Redactor, cipher: Cipher) -> None:
        self._database = database
        self._redactor = redactor
        self._cipher = cipher

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
        sealed = self._cipher.seal(text.encode(), _context(user_id))
        async with self._database.transaction() as session:
            await StoreKeyRepository(session).set(user_id, base64.urlsafe_b64encode(sealed).decode())
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
        try:
            text = self._cipher.open(base64.urlsafe_b64decode(stored), _context(user_id)).decode()
        except (SealError, binascii.Error, ValueError) as error:
            why = str(error) if isinstance(error, SealError) else "it is not of the form of a sealed key"
            _log.warning("a store key cannot be decrypted", user_id=str(user_id), why=why)
            raise UnreadableStoreKeyError(why) from None
        self._redactor.register(text, holder=_holder(user_id))
        return SecretStr(text)


def _context(user_id: uuid.UUID) -> bytes:
    return b"store-key\0" + user_id.bytes


def _holder(user_id: uuid.UUID) -> tuple[str, uuid.UUID]:
    return "store-key", user_id
