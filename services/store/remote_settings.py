"""How a client of a remote store is made from the settings."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from bedplate.services.cache import CacheService
from bedplate.services.engines.http import HttpEngine
from bedplate.services.errors import ConfigurationError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.store.remote_client import RemoteClient
from bedplate.services.telemetry import TelemetryService

__all__ = ["client_of"]


def client_of(
    settings: SettingsService,
    telemetry: TelemetryService,
    cache: CacheService,
    http: HttpEngine,
    authorization: Callable[[str], Mapping[str, str]],
) -> RemoteClient:
    """A client of the store at ``remote_url``.

    Args:
        settings: The settings; the group is ``store``.
        telemetry: Where calls are counted.
        cache: Where answers are kept.
        http: Has the pooled client.
        authorization: The headers that prove who calls, from the key.

    Raises:
        ConfigurationError: The address is missing, is none, or has a password in it.
    """
    url = settings.values.store.remote_url
    fix = "set it to an address such as https://store.example"
    if url is None:
        raise ConfigurationError("BEDPLATE_STORE__REMOTE_URL is not set", service=ServiceType.STORE, fix=fix)
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            "BEDPLATE_STORE__REMOTE_URL is no address of a store", service=ServiceType.STORE, fix=fix
        )
    calls = telemetry.meter.counter(
        "bedplate_store_remote_calls", "Calls of the remote store, by how they ended.", labels=("outcome",)
    )
    return RemoteClient(http, settings.values.store, cache.namespace("store.remote"), authorization, calls)
