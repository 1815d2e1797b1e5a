"""Opens what Langflow encrypted, given its secret key."""

import base64
import random
from collections.abc import Iterator
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken

from bedplate.wiring.langflow.errors import UnusableError

__all__ = ["LangflowSecrets", "looks_encrypted"]

_SHORT = 32
"""Keys with fewer characters are the seed of a generator there (GHSA-jxw3-mjmx-3pqm)."""


class LangflowSecrets:
    """What the secret key of a Langflow installation opens.

    Args:
        secret_key: Its ``LANGFLOW_SECRET_KEY``, or the content of the file ``secret_key`` in its configuration
            directory; None: nothing can be opened.
    """

    def __init__(self, secret_key: str | None) -> None:
        self._ciphers = [] if secret_key is None else [Fernet(key) for key in _keys(secret_key)]

    def open(self, text: str) -> str:
        """The text that was encrypted.

        Raises:
            UnusableError: There is no key, or it is not the one.
        """
        if not self._ciphers:
            raise UnusableError("it is encrypted, and the secret key of Langflow was not given")
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(text.encode()).decode()
            except (InvalidToken, UnicodeError):
                continue
        raise UnusableError("the secret key of Langflow does not decrypt it")


def looks_encrypted(text: str) -> bool:
    """Whether the text has the form of a Fernet token: version 128 in base 64, and no other characters."""
    if not text.startswith("gAAAAA"):
        return False
    try:
        return len(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) >= 73
    except ValueError:
        return False


def _keys(secret_key: str) -> Iterator[bytes]:
    """The keys that releases of Langflow derive from this secret, those of 1.6 first."""
    if len(secret_key) < _SHORT:
        generator = random.Random(secret_key)  # noqa: S311 - what was encrypted is opened, nothing is encrypted
        yield base64.urlsafe_b64encode(bytes(generator.getrandbits(8) for _ in range(32)))
    else:
        padded = secret_key + "=" * (-len(secret_key) % 4)
        try:
            raw = base64.urlsafe_b64decode(padded)
        except ValueError:
            raw = b""
        if len(raw) == 32:
            yield padded.encode()
    yield base64.urlsafe_b64encode(sha256(secret_key.encode()).digest())
