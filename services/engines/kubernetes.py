"""Clients of Kubernetes APIs."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import msgspec

from bedplate.services.base import Service
from bedplate.services.engines.kubernetes_config import KubernetesAddress, config_errors, load_config

__all__ = ["KubernetesApiError", "KubernetesClient", "KubernetesEngine"]

_UNAUTHORIZED: Final = 401


class KubernetesApiError(Exception):
    """The API server answered with a status that says no.

    Args:
        status: The HTTP status.
        reason: The reason of the answer's ``Status``, such as ``"AlreadyExists"``; empty where there is none.
        message: Its text, which quotes no value of a Secret.
        retry_after: Seconds after which it wants to be asked again; None: it says nothing of that.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}".strip())
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class KubernetesClient:
    """Calls one API server.

    Args:
        api: The client of the library.
        address: Where it is.
        namespace: The namespace of the surroundings: that of the pod, or of the context.
        renew: Reads the credentials anew.
    """

    def __init__(
        self, api: Any, address: KubernetesAddress, namespace: str, renew: Callable[[], Awaitable[None]]
    ) -> None:
        self.namespace = namespace
        self.server = str(api.configuration.host)
        self._api = api
        self._timeout = address.timeout
        self._renew = renew
        self._renewing = asyncio.Lock()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """Make one call and return the body of its answer; with a token that has expired, once more with a new one.

        Args:
            method: The HTTP method.
            path: The path, each part of it fit for one.
            query: The query.
            body: The body, to be sent as JSON.
            content: The media type of the body.
            accept: The media type of the answer.

        Raises:
            KubernetesApiError: The server said no.
            aiohttp.ClientError: It did not answer, or not well.
            TimeoutError: It did not answer in time.
        """
        headers = {"Accept": accept, "Content-Type": content}
        token = self._token()
        status, data, wait = await self._send(method, path, query, body, headers)
        if status == _UNAUTHORIZED:
            async with self._renewing:
                if self._token() == token:  # nobody else has renewed it meanwhile
                    await self._renew()
            status, data, wait = await self._send(method, path, query, body, headers)
        if status >= 300:  # redirects are none of this API's answers
            raise _refusal(status, data, wait)
        return data

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> tuple[int, bytes, str]:
        import aiohttp

        # What the library would do around this logs the contents of Secrets, and builds strings of large bodies.
        sent = dict(headers)
        await self._api.update_params_for_auth(sent, [], ["BearerToken"])
        rest = self._api.rest_client
        own = {"server_hostname": rest.server_hostname} if rest.server_hostname else {}
        answer = await rest.pool_manager.request(
            method,
            self.server + path,
            params=query,
            data=None if body is None else io.BytesIO(msgspec.json.encode(body)),
            headers=sent,
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            proxy=rest.proxy,
            proxy_headers=rest.proxy_headers,
            **own,
        )
        async with answer:
            return answer.status, await answer.read(), answer.headers.get("Retry-After", "")

    def _token(self) -> object:
        return self._api.configuration.api_key.get("BearerToken")


class KubernetesEngine(Service):
    """Owns the clients of kubernetes_asyncio; each is made when it is first asked for, and closed at stop.

    Importing the library takes half a second, which only a process with a backend on Kubernetes pays.
    """

    def __init__(self) -> None:
        self._clients: dict[KubernetesAddress, KubernetesClient] = {}
        self._open = AsyncExitStack()
        self._making = asyncio.Lock()

    async def _start(self) -> None:
        self._making = asyncio.Lock()

    async def _stop(self) -> None:
        self._clients.clear()
        stack, self._open = self._open, AsyncExitStack()
        await stack.aclose()

    async def client(self, address: KubernetesAddress) -> KubernetesClient:
        """The client for an address, shared by all who ask for it until the next stop.

        Raises:
            UnavailableError: The engine is not started.
            KubernetesConfigError: There is neither an account of a pod nor a kubeconfig, or it cannot be used.
        """
        async with self._making:
            self._require_started("engine of Kubernetes", service="kubernetes")
            if address not in self._clients:
                self._clients[address] = await _make(address, self._open)
            return self._clients[address]


async def _make(address: KubernetesAddress, stack: AsyncExitStack) -> KubernetesClient:
    from kubernetes_asyncio.client import ApiClient, Configuration

    configuration = Configuration()
    configuration.connection_pool_maxsize = address.connections
    with config_errors():
        namespace, renew = await load_config(address, configuration)
        api = await stack.enter_async_context(ApiClient(configuration))
    return KubernetesClient(api, address, namespace, renew)


def _refusal(status: int, data: bytes, wait: str) -> KubernetesApiError:
    try:
        said = msgspec.json.decode(data, type=_Status)
    except msgspec.DecodeError:
        said = _Status()  # whoever answers is no API server
    return KubernetesApiError(status, said.reason, said.message, float(wait) if wait.isdecimal() else None)


class _Status(msgspec.Struct):
    reason: str = ""
    message: str = ""
