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
    StorageAccessError,
    StorageFullError,
    StorageIOError,
    StoredFileNotFoundError,
    TooManyFilesError,
    UnsafeFileError,
    UploadSourceError,
)
from bedplate.services.storage.models import FileInfo, Metadata, Namespace, OnTaken, StorageUsage, UserFile
from bedplate.services.storage.reader import FileReader
from bedplate.services.storage.service import StorageService
from bedplate.services.storage.user_files import UserFiles

__all__ = [
    "FileChangedError",
    "FileInfo",
    "FileMetadataError",
    "FileNameError",
    "FileRangeError",
    "FileReader",
    "FileTakenError",
    "FileTooLargeError",
    "Metadata",
    "Namespace",
    "NamespaceDeletedError",
    "OnTaken",
    "QuotaExceededError",
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
