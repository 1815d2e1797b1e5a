"""Errors of the storage service.

::

    InvalidInputError
    ├── FileNameError              a name or a namespace is not a possible one
    ├── UnsafeFileError            what stands there is a link, a folder or a device
    ├── FileRangeError             the part that is asked for is not within the file
    ├── FileMetadataError          what is to be kept with a file is too much, or of a type that is not kept
    ├── UploadSourceError          what is to be saved is not bytes
    └── TooLargeError
        ├── FileTooLargeError      a file is over the limit
        └── QuotaExceededError     a user would have more than allowed
    PermissionDeniedError
    └── SignedUrlError             a link was changed, is for something else, or its time is over
    NotFoundError
    └── StoredFileNotFoundError    no such file, or somebody else's
    ConflictError
    ├── FileTakenError             another file has the name
    ├── FileChangedError           the file is not the version that the caller names
    ├── NamespaceDeletedError      the namespace was deleted while a file was saved into it
    ├── UploadExpiredError         an upload took so long that it was given up
    └── TooManyFilesError          a user has as many files as allowed
    UnavailableError
    ├── StorageFullError           no space is left
    ├── StorageIOError             the disk failed while reading or writing
    └── ObjectStoreError           the object store does not answer, or not well
    ConfigurationError
    ├── StorageAccessError         the folder of the files cannot be used
    └── ObjectStoreSettingError    the object store refuses what the settings say
"""

import errno
import os

from bedplate.services.errors import (
    BedplateError,
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    TooLargeError,
    UnavailableError,
)
from bedplate.services.schema import ServiceType

__all__ = [
    "FileChangedError",
    "FileMetadataError",
    "FileNameError",
    "FileRangeError",
    "FileTakenError",
    "FileTooLargeError",
    "NamespaceDeletedError",
    "ObjectStoreError",
    "ObjectStoreSettingError",
    "QuotaExceededError",
    "SignedUrlError",
    "StorageAccessError",
    "StorageFullError",
    "StorageIOError",
    "StoredFileNotFoundError",
    "TooManyFilesError",
    "UnsafeFileError",
    "UploadExpiredError",
    "UploadSourceError",
    "typed",
]


class FileNameError(InvalidInputError):
    """A name or a namespace is not a possible one."""

    code = "file_name"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, service=ServiceType.STORAGE, fix=fix)


class UnsafeFileError(InvalidInputError):
    """What stands under the name is a symbolic link, a folder or a device, and is neither read nor written."""

    code = "file_unsafe"

    def __init__(self) -> None:
        super().__init__(
            "what stands under this name is no regular file",
            service=ServiceType.STORAGE,
            fix="use another name, or have the operator remove it from the folder of the files",
        )


class FileRangeError(InvalidInputError):
    """The part that is asked for begins beyond the end of the file, or ends before it begins.

    Attributes:
        size: Bytes of the file.
    """

    code = "file_range"

    def __init__(self, start: int, end: int | None, size: int) -> None:
        super().__init__(
            f"the bytes from {start} to {'the end' if end is None else end} are not within the {size} of the file",
            service=ServiceType.STORAGE,
            fix="ask for a part that begins before the end of the file",
        )
        self.size = size


class FileMetadataError(InvalidInputError):
    """What is to be kept with a file is too much, or of a type or under a name that is not kept."""

    code = "file_metadata"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, service=ServiceType.STORAGE, fix=fix)


class UploadSourceError(InvalidInputError):
    """What is to be saved is not bytes, nor an asynchronous iterator of bytes."""

    code = "upload_source"

    def __init__(self, kind: type) -> None:
        super().__init__(
            f"a value of type {kind.__name__} cannot be saved as a file",
            service=ServiceType.STORAGE,
            fix="give bytes, or an asynchronous iterator of bytes",
        )


class FileTooLargeError(TooLargeError):
    """A file is over the limit; nothing of it is kept."""

    code = "file_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the file has more than {limit} bytes",
            service=ServiceType.STORAGE,
            fix="split it, or raise BEDPLATE_STORAGE__MAX_FILE_BYTES",
        )


class QuotaExceededError(TooLargeError):
    """The files of a user would take up more than allowed; nothing of the new one is kept."""

    code = "quota_exceeded"

    def __init__(self, quota: int) -> None:
        super().__init__(
            f"the files of this user would take up more than {quota} bytes",
            service=ServiceType.STORAGE,
            fix="delete files that are not needed, or raise BEDPLATE_STORAGE__QUOTA_BYTES",
        )


class SignedUrlError(PermissionDeniedError):
    """A link was made or changed by somebody else, is for something else, or its time is over."""

    code = "signed_url"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, service=ServiceType.STORAGE, fix=fix)


class StoredFileNotFoundError(NotFoundError):
    """There is no such file, or it is somebody else's."""

    code = "file_not_found"

    def __init__(self) -> None:
        super().__init__("File not found", service=ServiceType.STORAGE, fix="list your files to see their names")


class FileTakenError(ConflictError):
    """Another file has the name."""

    code = "file_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is a file {name!r} already", service=ServiceType.STORAGE, fix="use another name, or replace it"
        )


class FileChangedError(ConflictError):
    """The file is not the version that the caller names: somebody has replaced or deleted it. Nothing has changed."""

    code = "file_changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the file {name!r} is not the version that was named",
            service=ServiceType.STORAGE,
            fix="look at the present version, and name its ETag",
        )


class NamespaceDeletedError(ConflictError):
    """The namespace was deleted while a file was being saved into it; the file is not there."""

    code = "namespace_deleted"

    def __init__(self) -> None:
        super().__init__(
            "the files here were deleted while this one was being saved",
            service=ServiceType.STORAGE,
            fix="save it again if it is still wanted",
        )


class TooManyFilesError(ConflictError):
    """A user has as many files as allowed."""

    code = "too_many_files"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"you have {limit} files, which is as many as you may have",
            service=ServiceType.STORAGE,
            fix="delete some, or raise BEDPLATE_STORAGE__MAX_FILES_PER_USER",
        )


class StorageFullError(UnavailableError):
    """No space is left; nothing of the file is kept, and what was there before is as it was."""

    code = "storage_full"

    def __init__(self, why: str) -> None:
        super().__init__(
            "no space is left for the file",
            service=ServiceType.STORAGE,
            why=why,
            fix="delete files, or make room on the disk of BEDPLATE_DATA_DIR",
        )


class StorageIOError(UnavailableError):
    """The disk failed while reading or writing."""

    code = "storage_io"

    def __init__(self, why: str) -> None:
        super().__init__(
            "the file could not be read or written",
            service=ServiceType.STORAGE,
            why=why,
            fix="look at the disk of BEDPLATE_DATA_DIR, then try again",
        )


class StorageAccessError(ConfigurationError):
    """The folder of the files, or something in it, cannot be used by this process."""

    code = "storage_access"

    def __init__(self, why: str) -> None:
        super().__init__(
            "the folder of the files cannot be used",
            service=ServiceType.STORAGE,
            why=why,
            fix="let this process read and write the folder 'files' in BEDPLATE_DATA_DIR",
        )


class UploadExpiredError(ConflictError):
    """An upload took longer than ``s3_upload_seconds``, and was given up as abandoned; nothing of it is kept."""

    code = "upload_expired"

    def __init__(self) -> None:
        super().__init__(
            "the upload took too long, and was given up",
            service=ServiceType.STORAGE,
            fix="send it faster or in parts, or raise BEDPLATE_STORAGE__S3_UPLOAD_SECONDS",
        )


class ObjectStoreError(UnavailableError):
    """The object store does not answer, is busy, or broke off; another try may succeed."""

    code = "object_store"
    retry_after = 5.0

    def __init__(self, what: str, *, why: str | None = None, fix: str) -> None:
        super().__init__(what, service=ServiceType.STORAGE, why=why, fix=fix)


class ObjectStoreSettingError(ConfigurationError):
    """The object store refuses what the settings say: the bucket, the region, the endpoint, or the credentials."""

    code = "object_store_setting"

    def __init__(self, what: str, *, why: str | None = None, fix: str) -> None:
        super().__init__(what, service=ServiceType.STORAGE, why=why, fix=fix)


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_UNSAFE = {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO}


def typed(error: OSError) -> BedplateError:
    """The error of this service that says the same; paths of the server are no part of it."""
    number = error.errno or 0
    why = f"{errno.errorcode.get(number, 'error')}: {os.strerror(number)}"
    if number == errno.ENOENT:
        return StoredFileNotFoundError()
    if number in _UNSAFE:
        return UnsafeFileError()
    if number in _FULL:
        return StorageFullError(why)
    if number in _DENIED:
        return StorageAccessError(why)
    return StorageIOError(why)
