"""The storage service: files under names, in namespaces that belong to users, streamed in and out."""

from bedplate.services.storage.errors import (
    FileNameError,
    FileRangeError,
    FileTakenError,
    FileTooLargeError,
    NamespaceDeletedError,
    StorageAccessError,
    StorageFullError,
    StorageIOError,
    StoredFileNotFoundError,
    TooManyFilesError,
    UnsafeFileError,
    UploadSourceError,
)
from bedplate.services.storage.models import FileInfo, Namespace, OnTaken, UserFile
from bedplate.services.storage.reader import FileReader
from bedplate.services.storage.service import StorageService
from bedplate.services.storage.user_files import UserFiles

__all__ = [
    "FileInfo",
    "FileNameError",
    "FileRangeError",
    "FileReader",
    "FileTakenError",
    "FileTooLargeError",
    "Namespace",
    "NamespaceDeletedError",
    "OnTaken",
    "StorageAccessError",
    "StorageFullError",
    "StorageIOError",
    "StorageService",
    "StoredFileNotFoundError",
    "TooManyFilesError",
    "UnsafeFileError",
    "UploadSourceError",
    "UserFile",
    "UserFiles",
]
