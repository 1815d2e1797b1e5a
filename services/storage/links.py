"""Links to files, from the backend where it has its own, else of this server."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from bedplate.services.engines.keyring import Keyring
from bedplate.services.errors import InvalidInputError, UnavailableError
from bedplate.services.schema import ServiceType
from bedplate.services.settings.groups.storage import StorageSettings
from bedplate.services.storage.backend import StorageBackend
from bedplate.services.storage.models import Namespace, SignedAccess, SignedUrl
from bedplate.services.storage.signing import Signer

__all__ = ["Links"]

_PURPOSE = "storage-links"


class Links:
    """Makes links, and says what they are good for.

    Args:
        settings: The settings of the storage.
        keyring: Has the key.
        store: The backend.
    """

    def __init__(self, settings: StorageSettings, keyring: Keyring, store: StorageBackend) -> None:
        self._settings = settings
        self._keyring = keyring
        self._store = store
        self._signer: Signer | None = None

    def start(self) -> None:
        """Take the key, once there is one."""
        self._signer = Signer(self._keyring.derive(_PURPOSE))

    async def make(
        self,
        namespace: Namespace,
        name: str,
        method: Literal["GET", "PUT"],
        expires_in: float | timedelta | None,
        filename: str | None,
        inline: bool,
    ) -> SignedUrl:
        """See :meth:`bedplate.services.storage.StorageService.signed_url`."""
        if method not in ("GET", "PUT"):
            raise InvalidInputError(
                f"{method!r:.80} is nothing that a link is good for", service=ServiceType.STORAGE, fix="use GET or PUT"
            )
        access = SignedAccess(
            method=method,
            namespace=namespace,
            name=name,
            expires_at=datetime.now(UTC).replace(microsecond=0) + self._lifetime(expires_in),
            filename=filename,
            inline=inline,
        )
        url = await self._store.presign(access)
        if url is None:
            url = f"{self._settings.link_base}?token={self._running().sign(access)}"
        return SignedUrl(url=url, method=method, expires_at=access.expires_at)

    def redeem(self, token: str, method: str) -> SignedAccess:
        """See :meth:`bedplate.services.storage.StorageService.redeem`."""
        return self._running().verify(token, method)

    def _running(self) -> Signer:
        if self._signer is None:
            raise UnavailableError("the service is not started", service=ServiceType.STORAGE)
        return self._signer

    def _lifetime(self, given: Any) -> timedelta:
        seconds = self._settings.link_seconds if given is None else given
        if isinstance(seconds, timedelta):
            seconds = seconds.total_seconds()
        most = self._settings.max_link_seconds
        if given is None:
            seconds = min(seconds, most)
        if not isinstance(seconds, int | float) or not 0 < seconds <= most:
            raise InvalidInputError(
                f"a link cannot be good for {given!r:.80} seconds",
                service=ServiceType.STORAGE,
                fix=f"use more than 0 and at most {most:g} seconds (BEDPLATE_STORAGE__MAX_LINK_SECONDS)",
            )
        # At least a second: the time of a link has no fractions.
        return timedelta(seconds=max(1, round(seconds)))
