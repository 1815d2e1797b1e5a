"""Pooled clients of S3 APIs, one for each endpoint and identity."""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from bedplate.services.base import Service

__all__ = ["S3Address", "S3Engine"]


class S3Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where an S3 API is, and who calls it.

    Attributes:
        endpoint: Its URL; empty: Amazon's for the region.
        region: Its region; empty: that of the AWS environment, else ``us-east-1``.
        access_key: The access key; empty: the usual AWS chain.
        secret_key: The secret that belongs to it.
        session_token: The token of temporary credentials.
        addressing: ``auto``, ``path`` or ``virtual``.
        ca_file: Certificates to check the endpoint's against; None: the usual ones.
        connections: Most connections at once.
        connect_timeout: Seconds in which a connection must be accepted.
        read_timeout: Seconds in which the endpoint must send something.
        retries: How often a call that failed is tried again.
    """

    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    addressing: str = "auto"
    ca_file: Path | None = None
    connections: int = 32
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    retries: int = 3

    def __repr__(self) -> str:
        return f"S3Address(endpoint={self.endpoint!r}, region={self.region!r})"  # without the keys


class S3Engine(Service):
    """Owns the clients of aiobotocore; each is made when it is first asked for, and closed at stop.

    Importing the library and reading its description of the API takes half a second, which only a process with a
    backend on S3 pays.
    """

    def __init__(self) -> None:
        self._clients: dict[S3Address, Any] = {}
        self._open = AsyncExitStack()
        self._making = asyncio.Lock()
        self._session: Any = None

    async def _start(self) -> None:
        self._making = asyncio.Lock()

    async def _stop(self) -> None:
        self._clients.clear()
        self._session = None
        stack, self._open = self._open, AsyncExitStack()
        await stack.aclose()

    async def client(self, address: S3Address) -> Any:
        """The client for an address, shared by all who ask for it until the next stop.

        Raises:
            UnavailableError: The engine is not started.
            botocore.exceptions.BotoCoreError: The address is none, or the AWS profile is wrong.
        """
        async with self._making:
            self._require_started("engine of S3", service="s3")
            if address not in self._clients:
                self._clients[address] = await self._open.enter_async_context(self._make(address))
            return self._clients[address]

    @asynccontextmanager
    async def _make(self, address: S3Address) -> AsyncIterator[Any]:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session

        from bedplate.services.engines.s3_signing import sign_content

        if self._session is None:
            self._session = get_session()
            self._session.register_component("data_loader", _descriptions())
        config = AioConfig(
            signature_version="s3v4",
            connect_timeout=address.connect_timeout,
            read_timeout=address.read_timeout,
            max_pool_connections=address.connections,
            retries={"total_max_attempts": address.retries + 1, "mode": "standard"},
            s3={"addressing_style": address.addressing},
            # Most compatible servers know nothing of the checksums that the library would add of itself.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        region = address.region or self._session.get_config_variable("region") or "us-east-1"
        async with self._session.create_client(
            "s3",
            region_name=region,
            endpoint_url=address.endpoint or None,
            aws_access_key_id=address.access_key or None,
            aws_secret_access_key=address.secret_key or None,
            aws_session_token=address.session_token or None,
            verify=None if address.ca_file is None else str(address.ca_file),
            config=config,
        ) as client:
            sign_content(client)
            yield client


@functools.cache
def _descriptions() -> Any:
    """What the library knows of the APIs: reading it is most of the work of making a client."""
    from botocore.loaders import create_loader

    return create_loader()
