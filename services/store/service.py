"""The store service."""

import uuid

from pydantic import SecretStr

from bedplate.services.base import Service
from bedplate.services.database import DatabaseService
from bedplate.services.engines.cipher import Cipher
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import UnavailableError
from bedplate.services.schema import ServiceType
from bedplate.services.session.runner import FlowLimits
from bedplate.services.settings import SettingsService
from bedplate.services.store.backend import StoreBackend
from bedplate.services.store.catalogue import Catalogue, Means
from bedplate.services.store.checking import Checker
from bedplate.services.store.checks import CHECKS
from bedplate.services.store.documents import Documents
from bedplate.services.store.keys import StoreKeys
from bedplate.services.store.secrets import UserSecrets
from bedplate.services.variable import VariableService

__all__ = ["StoreService"]


class StoreService(Service, Catalogue):
    """A catalogue of shared components and flows: the operations of :class:`Catalogue`, and the keys of users.

    Args:
        settings: The settings; its group is ``store``.
        database: Keeps the keys of users.
        keyring: Gives the key that these are sealed with.
        redactor: Knows secrets.
        workers: Where documents are checked.
        variable: Has the credentials of who publishes.
        store: The catalogue.
        local: The catalogue in the database, where that is another one.

    Attributes:
        local: The catalogue in the database, which works whatever the state of a remote one; the service itself where
            that is what it gives.
    """

    type = ServiceType.STORE
    part_names = ("local",)
    checks = CHECKS

    def __init__(
        self,
        settings: SettingsService,
        database: DatabaseService,
        keyring: Keyring,
        redactor: Redactor,
        workers: Workers,
        variable: VariableService,
        store: StoreBackend,
        local: StoreBackend | None = None,
    ) -> None:
        values, session = settings.values.store, settings.values.session
        self.backend = store.name
        self._database = database
        self._keyring = keyring
        self._redactor = redactor
        self._keys: StoreKeys | None = None
        documents = Documents(
            redactor=redactor,
            limits=FlowLimits(max_nodes=session.max_nodes, max_edges=session.max_edges),
            max_bytes=values.max_document_bytes,
            on_leak=values.on_leak,
        )
        means = Means(
            settings=values,
            keys=self._ready,
            checker=Checker(values, documents, UserSecrets(variable), workers),
            require_started=self._require_started,
        )
        Catalogue.__init__(self, store, means)
        self.local: Catalogue = self if local is None else Catalogue(local, means)

    @property
    def enabled(self) -> bool:
        """Whether there is a store."""
        return self._means.settings.enabled

    async def save_key(self, user_id: uuid.UUID, key: SecretStr) -> None:
        """Keep the store key of a user, sealed; it is never shown again.

        Raises:
            InvalidStoreKeyError: It cannot be a key.
        """
        await self._ready().save(user_id, key)

    async def delete_key(self, user_id: uuid.UUID) -> None:
        """Forget the store key of a user."""
        await self._ready().delete(user_id)

    async def reseal_keys(self) -> int:
        """Seal the store keys of all users with the secret key of now, where an earlier one has; how many were."""
        return await self._ready().reseal()

    def _ready(self) -> StoreKeys:
        self._require_started()
        if self._keys is None:  # stopped while this call was on its way
            raise UnavailableError("the service is stopping", service=ServiceType.STORE)
        return self._keys

    async def _start(self) -> None:
        ciphers = [Cipher(key, key_id) for key_id, key in self._keyring.derive_all("store-key").items()]
        self._keys = StoreKeys(self._database, self._redactor, ciphers)

    async def _stop(self) -> None:
        self._keys = None

    async def _check(self) -> str | None:
        return await self._store.check()
