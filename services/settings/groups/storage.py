"""Settings of the storage service."""

from pydantic import Field

from bedplate.services.settings.groups.base import ServiceSettings

__all__ = ["StorageSettings"]

_MIB = 1024 * 1024


class StorageSettings(ServiceSettings):
    """Files (``BEDPLATE_STORAGE__*``)."""

    backend: str = "local"
    """Where files are kept: ``local``, under ``files`` in the data directory."""
    max_file_bytes: int = Field(default=1024 * _MIB, ge=1)
    """Largest file, in bytes; also the largest body of an upload."""
    quota_bytes: int = Field(default=0, ge=0)
    """Most bytes of all files of one user; 0: any number."""
    max_read_bytes: int = Field(default=4 * _MIB, ge=1)
    """Largest file, in bytes, that is read into memory at once, as by components of flows."""
    chunk_bytes: int = Field(default=_MIB, ge=4096, le=8 * _MIB)
    """Bytes that are read or written at a time; a stream holds about three times as many in memory."""
    max_page: int = Field(default=10_000, ge=1)
    """Most files of a namespace that one list answers."""
    link_seconds: float = Field(default=3600.0, gt=0)
    """Seconds that a link to a file is good for when the caller names no time."""
    max_link_seconds: float = Field(default=604_800.0, gt=0)
    """Most seconds that a link to a file is good for."""
    link_base: str = "/api/v1/files/signed"
    """What a link to a file of this server begins with, such as ``https://files.example.org/api/v1/files/signed``."""
    max_files_per_user: int = Field(default=10_000, ge=1)
    """Most files in the list of one user."""
    max_batch: int = Field(default=1_000, ge=1)
    """Most files of a user that are downloaded or deleted by one call."""
    threads: int = Field(default=4, ge=1)
    """Threads that read and write files."""
    low_space_bytes: int = Field(default=64 * _MIB, ge=0)
    """Free bytes of the disk below which the service calls itself degraded."""
    reserved_bytes: int = Field(default=16 * _MIB, ge=0)
    """Free bytes of the disk that files leave alone: deleting needs some of them, for the database."""
