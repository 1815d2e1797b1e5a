"""The registry of live secrets: who holds them, how many are kept, when they are forgotten."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

from bedplate.services.engines.redactor.forms import forms_of
from bedplate.services.engines.redactor.index import StringIndex
from bedplate.services.engines.redactor.spans import MASK, Span

__all__ = ["LiveSecrets"]

_LONG = 12


class LiveSecrets:
    """Secrets by value; each is looked for as long as somebody holds it, the latest ``max_values`` at most.

    Args:
        min_length: Shorter values are not looked for: masking them would eat ordinary words and say nothing.
        max_values: Most values kept; the one that was registered least recently goes first.
    """

    def __init__(self, *, min_length: int, max_values: int) -> None:
        self._min_length = min_length
        self._max_values = max_values
        # Most keys are long: they are found in a third of the time when the few short values have their own index.
        self._short = StringIndex(min_length)
        self._long = StringIndex(max(_LONG, min_length))
        self._holders: OrderedDict[str, set[Hashable]] = OrderedDict()
        self._held: dict[Hashable, set[str]] = {}
        self._retired: dict[tuple[Hashable, str], float] = {}
        self._lock = threading.Lock()
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._holders)

    @property
    def longest(self) -> int:
        """Characters of the longest form that is looked for."""
        return max(self._short.longest, self._long.longest)

    def spans(self, text: str) -> list[Span]:
        """Return where live secrets stand in the text."""
        if not self._holders:
            return []
        found = self._long.spans(text)
        return found + self._short.spans(text) if self._short.longest else found

    def register(self, secret: str, holder: Hashable) -> None:
        """Look for ``secret`` on behalf of ``holder``."""
        with self._lock:
            if self._retired:
                self._retired.pop((holder, secret), None)
                self._forget_retired()
            if holder in self._holders.get(secret, ()):
                self._holders.move_to_end(secret)
                return
            if len(secret.strip()) < self._min_length or secret.strip() in MASK:
                return
            if secret not in self._holders:
                self._index(secret, StringIndex.add)
            self._holders.setdefault(secret, set()).add(holder)
            self._holders.move_to_end(secret)
            self._held.setdefault(holder, set()).add(secret)
            while len(self._holders) > self._max_values:
                self._drop(next(iter(self._holders)))
                self.evicted += 1

    def unregister(self, secret: str, holder: Hashable) -> None:
        """Look for ``secret`` on behalf of ``holder`` no more."""
        with self._lock:
            self._forget_retired()
            self._release(secret, holder)

    def retire(self, holder: Hashable, *, keep: str | None, after: float) -> None:
        """Release all secrets of ``holder`` but ``keep``, ``after`` seconds from now."""
        with self._lock:
            deadline = time.monotonic() + after
            for secret in self._held.get(holder, set()) - {keep}:
                self._retired.setdefault((holder, secret), deadline)
            self._forget_retired()

    def _forget_retired(self) -> None:
        while self._retired:
            # They stand in the order of retiring: when the first is not due, none is.
            (holder, secret), deadline = next(iter(self._retired.items()))
            if deadline > time.monotonic():
                break
            self._release(secret, holder)

    def _release(self, secret: str, holder: Hashable) -> None:
        self._retired.pop((holder, secret), None)  # first: the loop above ends on it
        holders = self._holders.get(secret)
        if holders is None or holder not in holders:
            return
        if holders == {holder}:
            self._drop(secret)
            return
        holders.discard(holder)
        self._let_go(secret, holder)

    def _drop(self, secret: str) -> None:
        for holder in self._holders.pop(secret):
            self._retired.pop((holder, secret), None)
            self._let_go(secret, holder)
        self._index(secret, StringIndex.remove)

    def _let_go(self, secret: str, holder: Hashable) -> None:
        held = self._held[holder]
        held.discard(secret)
        if not held:
            del self._held[holder]

    def _index(self, secret: str, change: Callable[[StringIndex, Iterable[str]], None]) -> None:
        forms = forms_of(secret, min_length=self._min_length)
        long = {form for form in forms if len(form) >= _LONG}
        change(self._long, long)
        change(self._short, forms - long)
