"""The storage service: files under names, in namespaces that belong to users, streamed in and out."""

from bedplate.services.storage.errors import (
    FileChangedError,
    FileMetadataError,
    FileNameError,
    FileRangeError,
    FileTakenError,
    FileTooLargeError,
    NamespaceDeletedError,
    QuotaExceededError,
    SignedUrlError,
    StorageAccessError,
    StorageFullError,
    StorageIOError,
    StoredFileNotFoundError,
    TooManyFilesError,
    UnsafeFileError,
    UploadSourceError,
)
from bedplate.services.storage.models import (
    FileInfo,
    Metadata,
    Namespace,
    OnTaken,
    SignedAccess,
    SignedUrl,
    StorageUsage,
    UserFile,
)
from bedplate.services.storage.pages import FilePage
from bedplate.services.storage.reader import FileReader
from bedplate.services.storage.service import StorageService
from bedplate.services.storage.user_files import UserFiles

__all__ = [
    "FileChangedError",
    "FileInfo",
    "FileMetadataError",
    "FileNameError",
    "FilePage",
    "FileRangeError",
    "FileReader",
    "FileTakenError",
    "FileTooLargeError",
    "Metadata",
    "Namespace",
    "NamespaceDeletedError",
    "OnTaken",
    "QuotaExceededError",
    "SignedAccess",
    "SignedUrl",
    "SignedUrlError",
    "StorageAccessError",
    "StorageFullError",
    "StorageIOError",
    "StorageService",
    "StorageUsage",
    "StoredFileNotFoundError",
    "TooManyFilesError",
    "UnsafeFileError",
    "UploadSourceError",
    "UserFile",
    "UserFiles",
]
