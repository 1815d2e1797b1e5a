"""Which key signs now, which keys verify, and how a rotation reaches every process."""

import asyncio
import itertools
import secrets
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bedplate.services.auth.errors import KeyRotationError
from bedplate.services.auth.key_files import KeyFile, KeyFolder, read_key_file
from bedplate.services.auth.periodic import Periodic
from bedplate.services.auth.records import KeyRotation
from bedplate.services.auth.signing_keys import SigningKey, derived_key, secret_id, secret_key
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import ConfigurationError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings.groups.auth import AuthSettings

__all__ = ["KeyRing"]

FOLDER = "signing_keys"
UNKNOWN_INTERVAL = 1.0
"""Seconds between two looks at the files because of tokens with an unknown key, which anybody can send."""

SETTLED = 2.0
"""Seconds after which the time of a folder's last change is final on any file system."""

_log = get_logger("bedplate.auth")


class KeyRing:
    """The signing keys of the installation.

    With HS256 the key derives from the secret key, until a rotation writes one of its own. With RS256 and EdDSA keys
    are given by settings, or made at the first start. The newest key of the algorithm signs; those before it verify
    until the last token that they can have signed has expired. Files are looked at again by interval, and when a
    token names a key that is not known here.

    Args:
        settings: Algorithm, given keys, lifetimes.
        keyring: Derives the key of HS256.
        workers: Reads and writes files.
        data_dir: The folder of keys is in it.

    Attributes:
        current: The key that signs.
    """

    def __init__(self, settings: AuthSettings, keyring: Keyring, workers: Workers, data_dir: Path) -> None:
        self._settings = settings
        self._keyring = keyring
        self._workers = workers
        self._folder = KeyFolder(data_dir / FOLDER)
        self._allowed = {settings.algorithm, *settings.previous_algorithms}
        self._given = settings.signing_key is not None or settings.signing_key_file is not None
        self._parsed: dict[bytes, SigningKey] = {}
        self._by_id: dict[str, SigningKey] = {}
        self._by_segment: dict[str, SigningKey] = {}
        self._seen: object = None
        self._lock = asyncio.Lock()
        self._unknown_at = -UNKNOWN_INTERVAL
        self._watch = Periodic(
            "bedplate-auth-signing-keys", settings.signing_key_reload, self._try_reload, at_stop=False
        )
        self.current: SigningKey

    async def start(self) -> None:
        """Read the keys, make the first one where one is needed, and begin to look for new ones.

        Raises:
            ConfigurationError: A key cannot be read or written, or is none.
        """
        self._seen, self._lock = None, asyncio.Lock()
        await self.reload()
        self._watch.start()

    async def stop(self) -> None:
        """Cease to look for new keys."""
        await self._watch.stop()

    def get(self, key_id: object) -> SigningKey | None:
        """The key of that id, if its tokens can still be good."""
        key = self._by_id.get(key_id) if isinstance(key_id, str) else None
        return key if key is not None and key.good_until > time.time() else None

    def of_token(self, token: str) -> SigningKey | None:
        """The key of a token whose header is written as we write it."""
        key = self._by_segment.get(token.partition(".")[0])
        return key if key is not None and key.good_until > time.time() else None

    def public(self) -> list[dict[str, str]]:
        """The public keys as a JWK set's members, the one that signs first."""
        keys = [self.current, *(key for key in self._by_id.values() if key is not self.current)]
        now = time.time()
        return [dict(key.jwk) for key in keys if key.jwk is not None and key.good_until > now]

    async def reload(self) -> None:
        """Look at the files again.

        Raises:
            ConfigurationError: A key cannot be read, or is none; the keys stay what they were.
        """
        async with self._lock:
            await self._workers.run("auth", 1, self._reload)

    async def look_for(self, key_id: object) -> bool:
        """Look for a key that is not known here; whether it was found. At most one look a second."""
        if self.get(key_id) is not None or time.monotonic() - self._unknown_at < UNKNOWN_INTERVAL:
            return False
        self._unknown_at = time.monotonic()
        await self._try_reload()
        return self.get(key_id) is not None

    async def rotate(self) -> KeyRotation:
        """Make a new key and sign with it from now on; forget keys whose tokens have all expired.

        Raises:
            KeyRotationError: The key is given by a setting, where only its owner can change it.
            ConfigurationError: The key cannot be written.
        """
        if self._given:
            raise KeyRotationError
        before = self.current
        async with self._lock:
            await self._workers.run("auth", 1, self._rotate)
        until = self._by_id[before.id].good_until
        return KeyRotation(
            key_id=self.current.id,
            algorithm=self.current.algorithm,
            previous_key_id=before.id,
            previous_good_until=datetime.fromtimestamp(until, UTC),
        )

    def _reload(self) -> None:
        state = self._state()
        if state is not None and state == self._seen:
            return
        given = [*self._read_given()]
        kept = [*self._derived(), *self._read_folder()]
        if not any(self._signs(key) for key in [*given, *kept]):
            self._make()
            kept = [*self._derived(), *self._read_folder()]
            state = None
        self._arrange(given, kept)
        self._seen = state

    def _state(self) -> object:
        """What tells that the folder is as it was; None where it cannot be told."""
        if self._given or self._settings.verification_key_files:
            return None
        try:
            changed = self._folder.path.stat().st_mtime
        except OSError:
            return -1
        # Another file may still come within the same tick of the file system's clock.
        return changed if time.time() - changed > SETTLED else None

    def _rotate(self) -> None:
        for file in self._folder.read():
            known = self._by_id.get(self._read(file).id)
            if known is not None and known.good_until <= time.time():
                self._folder.remove(file)
        self._make()
        self._seen = None
        self._reload()

    def _make(self) -> None:
        if self._settings.algorithm == "HS256":
            key = secrets.token_bytes(32)
            self._folder.add(secret_id(key), key.hex().encode(), suffix=".key", made_at=time.time())
            return
        from bedplate.services.auth.pem import new_private_key, private_pem, read_pem

        pem = private_pem(new_private_key(self._settings.algorithm, self._settings.rsa_key_bits))
        self._folder.add(read_pem(pem, "a new key").id, pem, suffix=".pem", made_at=time.time())

    def _signs(self, key: SigningKey) -> bool:
        return key.signs is not None and key.algorithm == self._settings.algorithm

    def _read_folder(self) -> Iterable[SigningKey]:
        """The keys of the folder, oldest first; with a given key it is not looked at."""
        keys = [] if self._given else map(self._read, self._folder.read())
        return (key for key in keys if key.algorithm in self._allowed)

    def _derived(self) -> Iterable[SigningKey]:
        if "HS256" in self._allowed:
            yield derived_key(self._keyring.derive("auth/jwt"), self._keyring.derive("auth/jwt-key-id")[:8].hex())

    def _read_given(self) -> Iterable[SigningKey]:
        settings = self._settings
        if settings.signing_key is not None:
            pem = settings.signing_key.get_secret_value().encode()
            yield self._given_key(pem, "BEDPLATE_AUTH__SIGNING_KEY", signs=True)
        if settings.signing_key_file is not None:
            pem = _read_given_file(settings.signing_key_file)
            yield self._given_key(pem, f"the file {str(settings.signing_key_file)!r}", signs=True)
        for path in settings.verification_key_files:
            yield self._given_key(_read_given_file(path), f"the file {str(path)!r}", signs=False)

    def _given_key(self, pem: bytes, origin: str, *, signs: bool) -> SigningKey:
        key = self._parse(pem, origin)
        if not signs:
            return msgspec.structs.replace(key, signs=None)
        if key.signs is None or key.algorithm != self._settings.algorithm:
            raise ConfigurationError(
                f"{origin} holds no private key for {self._settings.algorithm}",
                service=ServiceType.AUTH,
                why=f"a {'public' if key.signs is None else 'private'} key for {key.algorithm}",
                fix="give the private key, or set BEDPLATE_AUTH__ALGORITHM to what it is for",
            )
        return key

    def _read(self, file: KeyFile) -> SigningKey:
        if file.path.suffix == ".key":
            return secret_key(file.content, file.made_at, f"the file {str(file.path)!r}")
        key = self._parse(file.content, f"the file {str(file.path)!r}")
        return msgspec.structs.replace(key, made_at=file.made_at)

    def _parse(self, pem: bytes, origin: str) -> SigningKey:
        # An RSA key takes tens of milliseconds to be checked, and the files are looked at again and again.
        if pem not in self._parsed:
            from bedplate.services.auth.pem import read_pem

            self._parsed[pem] = read_pem(pem, origin)
        return self._parsed[pem]

    def _arrange(self, given: Sequence[SigningKey], kept: Sequence[SigningKey]) -> None:
        """Set which key signs and until when each other one verifies."""
        settings = self._settings
        current = next(filter(self._signs, given), None) or max(filter(self._signs, kept), key=lambda key: key.made_at)
        lifetime = max(settings.access_token_ttl, settings.refresh_token_ttl) + settings.clock_leeway
        by_id = {key.id: key for key in given}
        for key, after in itertools.zip_longest(kept, kept[1:]):
            if after is not None and key.id != current.id:
                # Other processes sign with it until they have seen its successor.
                good_until = after.made_at + settings.signing_key_reload + lifetime
                key = msgspec.structs.replace(key, good_until=good_until)
            by_id[key.id] = key
        self._by_id, self.current = by_id, by_id[current.id]
        self._by_segment = {key.segment: key for key in by_id.values()}

    async def _try_reload(self) -> None:
        try:
            await self.reload()
        except Exception as error:
            _log.error("the signing keys cannot be read again; the known ones stay in use", error=type(error).__name__)


def _read_given_file(path: Path) -> bytes:
    try:
        return read_key_file(path)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"there is no signing key at {path}",
            service=ServiceType.AUTH,
            fix="correct BEDPLATE_AUTH__SIGNING_KEY_FILE or BEDPLATE_AUTH__VERIFICATION_KEY_FILES",
        ) from error
