"""The redactor engine."""

from collections.abc import Hashable, Iterator
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from bedplate.services.base import Service
from bedplate.services.engines.redactor.flat import FlatCopies
from bedplate.services.engines.redactor.live import LiveSecrets
from bedplate.services.engines.redactor.names import SecretNames
from bedplate.services.engines.redactor.patterns import Patterns
from bedplate.services.engines.redactor.spans import mask_spans
from bedplate.services.engines.redactor.walk import Limits, Measured, Walk
from bedplate.services.settings import SettingsService

__all__ = ["Redactor"]

_SHORT: Final = 40
"""Characters of a text that is remembered when there is nothing to mask in it."""
_MAX_CLEAN: Final = 4096
_MARGIN = 4096
"""Characters beyond a limit that are looked at, so that a secret cut by the limit is still known as one."""


class Redactor(Service):
    """Masks secrets by the name of the field, by their shape, and by the live value of every registered secret.

    Safe to use from any thread, and before it is started. The secrets of the settings are registered from the
    beginning. The settings are ``BEDPLATE_TRACING__REDACT_*``.

    Raises:
        ConfigurationError: A pattern of the settings is not a regular expression, or matches the empty text.
    """

    def __init__(self, settings: SettingsService) -> None:
        values = settings.values.tracing
        self._live = LiveSecrets(min_length=values.redact_min_length, max_values=values.redact_max_values)
        self._names = SecretNames(values.redact_keys)
        self._patterns = Patterns(values.redact_patterns, self._names)
        # Names of fields and the like, which come again and again: those with nothing to mask in them, as of a version.
        self._clean: dict[str, int] = {}
        self._version = 0
        self._flat = FlatCopies(self.text, self._names)
        for secret in _secrets_of(settings.values):
            self.register(secret, holder="settings")

    def __len__(self) -> int:
        """How many secrets are known by value."""
        return len(self._live)

    @property
    def evicted(self) -> int:
        """How many secrets were forgotten because ``redact_max_values`` newer ones came."""
        return self._live.evicted

    def register(self, secret: str, *, holder: Hashable = None) -> None:
        """Mask this value from now on, wherever it stands, also escaped, percent-encoded or in base64.

        Values shorter than ``redact_min_length`` are not looked for: masking them would eat ordinary words.

        Args:
            secret: The value.
            holder: Who wants it masked: it is, until the last holder unregisters it.
        """
        self._live.register(secret, holder)
        self._version += 1

    def unregister(self, secret: str, *, holder: Hashable = None) -> None:
        """Take back ``register`` of the same secret and holder; do nothing if there is none."""
        self._live.unregister(secret, holder)

    def retire(self, holder: Hashable, *, keep: str | None = None, after: float = 0.0) -> None:
        """Unregister all values of a holder.

        Args:
            holder: As in ``register``.
            keep: A value of the holder that stays.
            after: Seconds for which they are still masked: what uses them may be running.
        """
        self._live.retire(holder, keep=keep, after=after)

    def is_secret_name(self, name: str) -> bool:
        """Say whether a field of this name holds a secret, whatever its case and separators."""
        return name in self._names

    def recognises(self, value: str) -> bool:
        """Say whether a text has a registered secret in it, or something of the shape of a key.

        Unlike :meth:`text` it takes no assignment such as ``password=…`` for a secret: it is for refusing what people
        wrote, source code included, where masking too much would be worse than too little.
        """
        return bool(self._live.spans(value)) or next(self._patterns.keys(value), None) is not None

    def text(self, value: str, *, limit: int | None = None) -> str:
        """Return the text with every secret masked.

        Args:
            value: The text.
            limit: Most characters of it that are wanted; unlike in a slice, no half of a secret is left at the end.
        """
        known = len(value) <= _SHORT and type(value) is str
        if known and (limit is None or len(value) <= limit) and self._clean.get(value) == self._version:
            return value
        version = self._version  # before looking: what is registered meanwhile may be in it
        end = len(value) if limit is None else limit
        seen = value[: end + max(self._live.longest, _MARGIN)]
        spans = self._live.spans(seen)
        if self._patterns.may_match(seen):
            spans += self._patterns.spans(seen)
        if spans:
            return mask_spans(value, spans, end)
        if known:
            self._remember(value, version)
        return value[:end]

    def _remember(self, text: str, version: int) -> None:
        if len(self._clean) >= _MAX_CLEAN:
            self._clean = {}
        self._clean[text] = version

    def value(self, value: Any, *, limits: Limits | None = None) -> Any:
        """Return a copy of any value, made of what JSON knows, with secrets masked; see :meth:`measured`."""
        return self.measured(value, limits=limits).value

    def measured(self, value: Any, *, limits: Limits | None = None) -> Measured:
        """Return a copy of any value, made of what JSON knows, with secrets masked, and its size.

        Mappings, structs, dataclasses and pydantic models become objects, sequences and sets arrays, moments ISO 8601
        texts; other objects are named, not shown. Never raises an ``Exception``, whatever the value does.
        """
        limits = limits or Limits()
        if type(value) is dict and (flat := self._flat.copy(value, self._version, limits)) is not None:
            return flat
        walk = Walk(lambda text, limit: self.text(text, limit=limit), self._names, limits)
        copy = walk.copy(value)
        return Measured(value=copy, size=walk.used)


def _secrets_of(model: BaseModel) -> Iterator[str]:
    for _name, value in model:
        if isinstance(value, BaseModel):
            yield from _secrets_of(value)
        elif isinstance(value, SecretStr):
            secret = value.get_secret_value()
            yield from _passwords_of(secret) if "://" in secret else (secret,)


def _passwords_of(url: str) -> Iterator[str]:
    """Of a URL the password alone is secret: its host and path are wanted in messages."""
    try:
        password = urlsplit(url).password
    except ValueError:
        yield url
    else:
        yield from (password, unquote(password)) if password else ()
