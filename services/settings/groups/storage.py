"""Settings of the storage service."""

from typing import Literal

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Location, ServiceSettings

__all__ = ["StorageSettings"]

_MIB = 1024 * 1024


class StorageSettings(ServiceSettings):
    """Files (``BEDPLATE_STORAGE__*``)."""

    backend: str = "local"
    """Where files are kept: ``local``, under ``files`` in the data directory; ``s3``, in a bucket."""
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
    s3_bucket: str = ""
    """The bucket of the backend ``s3``; it must be there."""
    s3_prefix: str = Field(default="", max_length=512)
    """What the keys of all objects begin with, such as ``bedplate/``."""
    s3_endpoint: str = ""
    """URL of the S3 API, such as ``https://minio.example.org``; empty: Amazon's for the region."""
    s3_public_endpoint: str = ""
    """URL under which clients reach the S3 API, for presigned links; empty: ``s3_endpoint``."""
    s3_region: str = ""
    """Region of the bucket; empty: that of the AWS environment or profile, else ``us-east-1``."""
    s3_access_key: str = ""
    """Access key; empty: the usual AWS chain (environment, profile, role of the machine)."""
    s3_secret_key: SecretStr | None = None
    """Secret key that belongs to ``s3_access_key``."""
    s3_session_token: SecretStr | None = None
    """Session token of temporary credentials."""
    s3_addressing: Literal["auto", "path", "virtual"] = "auto"
    """How the bucket is named: in the ``path`` or as a ``virtual`` host; most compatible servers want ``path``."""
    s3_ca_file: Location | None = None
    """Certificates that the endpoint's is checked against, in place of the usual ones."""
    s3_tags: dict[str, str] = Field(default={}, max_length=10)
    """Tags of every object, as JSON: ``{"team": "flows"}``."""
    s3_presign: bool = True
    """Whether links that read a file lead to the bucket itself; else they lead to this server."""
    s3_part_bytes: int = Field(default=8 * _MIB, ge=5 * _MIB, le=512 * _MIB)
    """Bytes of a part of a multipart upload; files that are smaller are sent whole."""
    s3_parts: int = Field(default=3, ge=1, le=64)
    """Parts of one file that are sent at once; an upload holds about so many, and two more, in memory."""
    s3_concurrency: int = Field(default=32, ge=1, le=1_000)
    """Connections to the endpoint; calls beyond that wait for one."""
    s3_connect_timeout: float = Field(default=5.0, gt=0)
    """Seconds in which the endpoint must accept a connection."""
    s3_read_timeout: float = Field(default=30.0, gt=0)
    """Seconds in which the endpoint must send something."""
    s3_retries: int = Field(default=3, ge=0, le=20)
    """How often a call that failed is tried again, after a growing while."""
    s3_grace_seconds: float = Field(default=300.0, ge=0)
    """Seconds for which the object of a replaced or deleted file is kept for those who are reading it."""
    s3_upload_seconds: float = Field(default=86_400.0, ge=60)
    """Longest upload; what is older was abandoned, and is removed."""
