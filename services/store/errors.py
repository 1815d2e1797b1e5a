"""What can go wrong in the store.

::

    InvalidInputError
    ├── StoreKeyMissingError        the user has given no store key                       (400)
    ├── InvalidStoreKeyError        what was given cannot be a store key                  (400)
    ├── StoreKeyRefusedError        the remote store does not take the key of the user    (400)
    ├── StoreCapabilityError        the remote store cannot do this                       (400)
    ├── InvalidComponentError       a name, tag, version or number is not possible        (400)
    ├── StoreDocumentError          the document is no flow                               (400)
    ├── StoreSecretError            something to be published holds a secret              (400)
    └── TooLargeError
        └── DocumentTooLargeError   the document is over the limit                        (413)
    NotFoundError
    ├── StoreDisabledError          the store is switched off                             (404)
    ├── ComponentNotFoundError      no such component, or it is somebody else's secret    (404)
    └── VersionNotFoundError        no such version of it                                 (404)
    ConflictError
    ├── VersionExistsError          the version is there, with another document           (409)
    ├── VersionYankedError          the version is yanked, and was not asked for as such  (409)
    └── StoreLimitError             there are as many as allowed                          (409)
    CorruptDataError
    ├── UnreadableStoreKeyError     the stored key of the user cannot be decrypted        (409: a new one helps)
    └── DigestMismatchError         a document is not what its digest says                (500)
    UnavailableError
    └── StoreUnavailableError       the remote store does not answer as it should         (503)

None of them carries a key, nor a secret that was found.
"""

from collections.abc import Sequence

from bedplate.services.errors import (
    BedplateError,
    ConflictError,
    CorruptDataError,
    InvalidInputError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)
from bedplate.services.schema import ServiceType

__all__ = [
    "ComponentNotFoundError",
    "DigestMismatchError",
    "DocumentTooLargeError",
    "InvalidComponentError",
    "InvalidStoreKeyError",
    "StoreCapabilityError",
    "StoreDisabledError",
    "StoreDocumentError",
    "StoreKeyMissingError",
    "StoreKeyRefusedError",
    "StoreLimitError",
    "StoreSecretError",
    "StoreUnavailableError",
    "UnreadableStoreKeyError",
    "VersionExistsError",
    "VersionNotFoundError",
    "VersionYankedError",
]


class _StoreError(BedplateError):
    """Names the service, so that each place that raises need not."""

    def __init__(self, what: str, *, why: str | None = None, fix: str | None = None) -> None:
        super().__init__(what, service=ServiceType.STORE, why=why, fix=fix)


class StoreKeyMissingError(_StoreError, InvalidInputError):
    """The user has given no store key."""

    code = "store_key_missing"

    def __init__(self) -> None:
        super().__init__(
            "You must have a store API key set.",
            fix="save one with POST /api/v1/api_key/store, or switch BEDPLATE_STORE__REQUIRE_KEY off",
        )


class InvalidStoreKeyError(_StoreError, InvalidInputError):
    """What was given cannot be a store key."""

    code = "store_key_invalid"


class StoreKeyRefusedError(_StoreError, InvalidInputError):
    """The remote store does not take the key of the user.

    Not a 401 or 403, which would tell clients that their own credentials are wrong.
    """

    code = "store_key_refused"

    def __init__(self) -> None:
        super().__init__(
            "The store does not take your API key, or does not let it do this.",
            fix="save a key that is valid in the remote store with POST /api/v1/api_key/store",
        )


class StoreCapabilityError(_StoreError, InvalidInputError):
    """The remote store cannot do this."""

    code = "store_capability"

    def __init__(self, what: str) -> None:
        super().__init__(f"the remote store {what}", fix="use the local catalogue, or another Bedplate, for that")


class StoreUnavailableError(_StoreError, UnavailableError):
    """The remote store does not answer, or not as it should; the local catalogue is not concerned.

    Args:
        why: What happened, for operators.
        retry_after: Seconds after which another try makes sense.
    """

    code = "store_unavailable"

    def __init__(self, why: str, *, retry_after: float) -> None:
        super().__init__(
            "The remote store does not answer. The local catalogue still works: ask with source=local.",
            why=why,
            fix="try again later; if it lasts, see BEDPLATE_STORE__REMOTE_URL",
        )
        self.retry_after = retry_after


class InvalidComponentError(_StoreError, InvalidInputError):
    """A name, a tag, a version, a filter or a number is not a possible one."""

    code = "store_invalid"


class StoreDocumentError(_StoreError, InvalidInputError):
    """What is to be published is no flow."""

    code = "store_document"


class StoreSecretError(_StoreError, InvalidInputError):
    """Something to be published holds a secret where none belongs.

    Args:
        paths: Where, such as ``"data.nodes[0].data.node.template.code.value"``.
    """

    code = "store_secret"

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(
            f"a secret stands in {', '.join(paths)}",
            fix="put it into a variable, and name that where the secret stands; change the secret if it was published",
        )
        self.paths = tuple(paths)


class DocumentTooLargeError(_StoreError, TooLargeError):
    """The document is over the limit."""

    code = "store_document_too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the document has {size} bytes; at most {limit} are allowed",
            fix="publish less, or raise BEDPLATE_STORE__MAX_DOCUMENT_BYTES",
        )


class StoreDisabledError(_StoreError, NotFoundError):
    """The store is switched off."""

    code = "store_disabled"

    def __init__(self) -> None:
        super().__init__("the store is switched off", fix="set BEDPLATE_STORE__ENABLED=true")


class ComponentNotFoundError(_StoreError, NotFoundError):
    """There is no such component, or it is private and somebody else's: the two read the same."""

    code = "store_component_not_found"

    def __init__(self) -> None:
        super().__init__("Component not found")


class VersionNotFoundError(_StoreError, NotFoundError):
    """The component has no such version."""

    code = "store_version_not_found"

    def __init__(self) -> None:
        super().__init__("The component has no such version", fix="look at the list of its versions")


class VersionExistsError(_StoreError, ConflictError):
    """The component has a version of this number, and versions never change."""

    code = "store_version_exists"

    def __init__(self, version: str) -> None:
        super().__init__(f"the version {version} is there already", fix="publish under a higher number")


class VersionYankedError(_StoreError, ConflictError):
    """The version was yanked, and is only given to who names its digest or asks for yanked ones."""

    code = "store_version_yanked"

    def __init__(self, version: str, reason: str | None) -> None:
        super().__init__(
            f"the version {version} was yanked" + (f": {reason}" if reason else ""),
            fix="use another version, or name the digest of this one",
        )


class StoreLimitError(_StoreError, ConflictError):
    """There are as many as allowed."""

    code = "store_limit"

    def __init__(self, what: str, limit: int, setting: str) -> None:
        super().__init__(f"there are {limit} {what} already", fix=f"delete one, or raise BEDPLATE_STORE__{setting}")


class UnreadableStoreKeyError(_StoreError, CorruptDataError):
    """The stored key of the user cannot be decrypted; it is never sent anywhere as it is."""

    code = "store_key_unreadable"

    def __init__(self, why: str) -> None:
        super().__init__(
            "Failed to decrypt the store API key. Please set a new one.",
            why=why,
            fix="save the key again with POST /api/v1/api_key/store",
        )


class DigestMismatchError(_StoreError, CorruptDataError):
    """A document is not what its digest says."""

    code = "store_digest_mismatch"

    def __init__(self) -> None:
        super().__init__(
            "the document is not what its digest says",
            why="it was damaged or changed where it is kept, or on its way",
            fix="publish it again, or restore the database from the backup",
        )
