"""What a catalogue checks, whatever keeps it: what is to be published, and what was downloaded."""

import uuid
from typing import Any

from msgspec import UNSET

from bedplate.services.engines.workers import Workers
from bedplate.services.settings.groups.store import StoreSettings
from bedplate.services.store.backend import Edit
from bedplate.services.store.documents import Documents, check_digest
from bedplate.services.store.models import Changes, Download
from bedplate.services.store.secrets import UserSecrets
from bedplate.services.store.validation import (
    MAX_REASON,
    MAX_VERSION,
    check_name,
    check_text,
    check_version,
    checked_tags,
)

__all__ = ["Checker"]


class Checker:
    """Checks names, tags, versions and documents; the latter on threads.

    Args:
        settings: Limits.
        documents: Checks documents, and looks for secrets.
        secrets: Knows the credentials of users.
        workers: Has the threads.
    """

    def __init__(self, settings: StoreSettings, documents: Documents, secrets: UserSecrets, workers: Workers) -> None:
        self._settings = settings
        self._documents = documents
        self._secrets = secrets
        self._workers = workers

    async def checked(self, user_id: uuid.UUID, changes: Changes) -> Edit:
        """What is to be published or changed, fit for that; what is unset stays so.

        Raises:
            InvalidComponentError: A name, a tag, or the version is not a possible one.
            StoreDocumentError: The document is no flow.
            TooLargeError: The document is too large.
            StoreSecretError: A secret stands outside the fields for secrets.
        """
        given: dict[str, Any] = {
            name: value for name in Changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET
        }
        self._check_texts(given)
        if "tags" in given:
            given["tags"] = checked_tags(given["tags"], self._settings.max_tags)
        await self._secrets.learn(user_id)
        for name in ("name", "description", "tags"):
            if given.get(name):
                given[name] = self._documents.cleaned(name, given[name])
        if "data" in given:
            data = given.pop("data")
            given["document"] = await self._workers.run("store", self._settings.threads, self._documents.checked, data)
        return Edit(**given)

    def reason(self, text: str | None) -> str | None:
        """The reason for a yank.

        Raises:
            InvalidComponentError: It is too long.
            StoreSecretError: A secret stands in it.
        """
        check_text("the reason", text, MAX_REASON)
        cleaned: str | None = self._documents.cleaned("reason", text)
        return cleaned

    async def verify(self, got: Download) -> None:
        """Raise unless what was downloaded is what its digest says.

        Raises:
            DigestMismatchError: It is not.
        """
        await self._workers.run("store", self._settings.threads, check_digest, got.data, got.digest)

    @staticmethod
    def _check_texts(given: dict[str, Any]) -> None:
        if "name" in given:
            check_name(given["name"])
        check_text("the description", given.get("description"))
        check_text("last_tested_version", given.get("last_tested_version"), MAX_VERSION)
        if given.get("version"):
            check_version(given["version"])
