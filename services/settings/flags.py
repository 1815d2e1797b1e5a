"""Feature flags by the OpenFeature SDK; imported when the first flag is asked for."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode
from openfeature.provider import FeatureProvider, ProviderStatus

from bedplate.services.errors import UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings.flag_provider import SettingsProvider
from bedplate.services.settings.groups.flags import Flag

__all__ = ["FlagProviderError", "FlagUser", "Flags"]

T = TypeVar("T")

_log = get_logger("bedplate.settings")


class FlagUser(Protocol):
    """Whom a flag is asked for, such as :class:`bedplate.services.auth.User`."""

    @property
    def id(self) -> UUID:
        """The id of the user, which is the targeting key."""
        ...

    @property
    def username(self) -> str:
        """The name of the user."""
        ...


class FlagProviderError(UnavailableError):
    """A provider of feature flags did not get ready; the one before it stays."""

    code = "flag_provider"


class Flags:
    """The feature flags of one container.

    Each method answers with the value of the flag for the user, and with ``default`` where there is no such flag, it
    is of another type, or its provider fails: none of them raises. The provider belongs to this container alone, and
    OpenFeature's global one to the application: neither knows of the other.

    Args:
        flags: The flags of the settings, by name.

    Attributes:
        client: The OpenFeature client, for what is not here: details, hooks, asynchronous evaluation.
    """

    def __init__(self, flags: Mapping[str, Flag]) -> None:
        self.client = _Client(SettingsProvider(flags))

    def boolean(
        self, name: str, default: bool = False, *, user: FlagUser | UUID | str | None = None, **attributes: Any
    ) -> bool:
        """Whether a feature is on.

        Args:
            name: The flag.
            default: What to answer in want of a value.
            user: For whom; an id where it is not a user.
            **attributes: What else a provider may decide by.
        """
        return self._value(self.client.get_boolean_value, name, default, user, attributes)

    def string(self, name: str, default: str, *, user: FlagUser | UUID | str | None = None, **attributes: Any) -> str:
        """The text that a flag gives; see :meth:`boolean`."""
        return self._value(self.client.get_string_value, name, default, user, attributes)

    def integer(self, name: str, default: int, *, user: FlagUser | UUID | str | None = None, **attributes: Any) -> int:
        """The whole number that a flag gives; see :meth:`boolean`."""
        return self._value(self.client.get_integer_value, name, default, user, attributes)

    def number(
        self, name: str, default: float, *, user: FlagUser | UUID | str | None = None, **attributes: Any
    ) -> float:
        """The number that a flag gives, whole or not; see :meth:`boolean`."""
        return self._value(self.client.get_float_value, name, float(default), user, attributes)

    def structure(
        self,
        name: str,
        default: Mapping[str, Any] | Sequence[Any],
        *,
        user: FlagUser | UUID | str | None = None,
        **attributes: Any,
    ) -> Mapping[str, Any] | Sequence[Any]:
        """The table or list that a flag gives; see :meth:`boolean`."""
        return self._value(self.client.get_object_value, name, default, user, attributes)

    async def use(self, provider: FeatureProvider, *, timeout: float = 30.0) -> None:
        """Have another provider answer from now on; the one before it is shut down.

        Args:
            provider: Any provider of OpenFeature's; its ``initialize`` runs in a thread.
            timeout: Seconds that it may take to get ready.

        Raises:
            FlagProviderError: It did not get ready.
        """
        provider.attach(self.client.note)
        try:
            async with asyncio.timeout(timeout):
                await _in_thread(provider.initialize, EvaluationContext())
        except Exception as error:
            provider.detach()
            raise FlagProviderError(
                f"the provider of feature flags {type(provider).__name__} did not get ready",
                service=ServiceType.SETTINGS,
                why=f"no answer within {timeout:g} s" if isinstance(error, TimeoutError) else type(error).__name__,
                fix="see what it needs; the provider before it goes on answering",
            ) from error
        before = self.client.replace(provider)
        await _shut_down(before, timeout)

    async def close(self, timeout: float = 5.0) -> None:
        """Shut the provider down, within so many seconds."""
        await _shut_down(self.client.provider, timeout)

    def _value(
        self,
        get: Callable[[str, T, EvaluationContext], T],
        name: str,
        default: T,
        user: FlagUser | UUID | str | None,
        attributes: Mapping[str, Any],
    ) -> T:
        try:
            return get(name, default, _context(user, attributes))
        except Exception as error:
            # The SDK catches what providers raise, but not what its own hooks do.
            _log.warning("a feature flag could not be read", flag=name, error=type(error).__name__)
            return default


class _Client(OpenFeatureClient):
    """A client with a provider of its own, where the stock one looks its provider up in a global registry."""

    def __init__(self, provider: FeatureProvider) -> None:
        super().__init__(domain="bedplate", version=None)
        self._provider = provider
        self._statuses: dict[FeatureProvider, ProviderStatus] = {}
        self._lock = threading.Lock()

    @property
    def provider(self) -> FeatureProvider:
        """The provider that answers."""
        return self._provider

    def get_provider_status(self) -> ProviderStatus:
        """The state of that provider."""
        return self._statuses.get(self._provider, ProviderStatus.READY)

    def replace(self, provider: FeatureProvider) -> FeatureProvider:
        """Have another provider answer; return the one before it."""
        with self._lock:
            before, self._provider = self._provider, provider
            self._statuses = {key: value for key, value in self._statuses.items() if key is provider}
        return before

    def note(self, provider: FeatureProvider, event: ProviderEvent, details: ProviderEventDetails) -> None:
        """Take note of an event that a provider emits."""
        states = {
            ProviderEvent.PROVIDER_READY: ProviderStatus.READY,
            ProviderEvent.PROVIDER_STALE: ProviderStatus.STALE,
            ProviderEvent.PROVIDER_ERROR: ProviderStatus.ERROR,
        }
        state = states.get(event)
        if state is ProviderStatus.ERROR and details.error_code is ErrorCode.PROVIDER_FATAL:
            state = ProviderStatus.FATAL
        if state is not None:
            with self._lock:
                self._statuses[provider] = state


def _context(user: FlagUser | UUID | str | None, attributes: Mapping[str, Any]) -> EvaluationContext:
    if user is None:
        return EvaluationContext(attributes=attributes)
    if isinstance(user, UUID | str):
        return EvaluationContext(str(user), attributes)
    return EvaluationContext(str(user.id), {"username": user.username, **attributes})


async def _shut_down(provider: FeatureProvider, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await _in_thread(provider.shutdown)
    except Exception as error:
        _log.warning("a provider of feature flags did not shut down cleanly", error=type(error).__name__)
    provider.detach()


async def _in_thread(function: Callable[..., None], *args: object) -> None:
    from bedplate.services.engines.workers import WorkerPool

    # A pool of its own, of daemons: what never returns delays nobody else, nor the end of the process.
    await WorkerPool("flags", 1, 0).run(function, *args)
