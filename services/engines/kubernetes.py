"""Clients of Kubernetes APIs: in a cluster by the account of the pod, elsewhere by a kubeconfig."""

import asyncio
import io
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from bedplate.services.base import Service

__all__ = [
    "KubernetesAddress",
    "KubernetesApiError",
    "KubernetesClient",
    "KubernetesConfigError",
    "KubernetesEngine",
]

_UNAUTHORIZED: Final = 401


class KubernetesAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Which API server, and as whom.

    Attributes:
        kubeconfig: A kubeconfig; None: the account of the pod, and outside a cluster the one that kubectl uses.
        context: The context of the kubeconfig; empty: the one that it names.
        account: Where the account of the pod is mounted: ``token``, ``ca.crt`` and ``namespace``.
        connections: Most connections at once; calls beyond that wait.
        timeout: Seconds that a call may take in all.
    """

    kubeconfig: Path | None = None
    context: str = ""
    account: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    connections: int = 16
    timeout: float = 10.0

    @property
    def in_cluster(self) -> bool:
        """Whether the account of the pod is used."""
        return self.kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ


class KubernetesConfigError(Exception):
    """There is neither an account of a pod nor a kubeconfig that can be used; the text says what is wrong with it."""


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
    load = _in_cluster if address.in_cluster else _from_kubeconfig
    with _named():
        namespace, renew = await load(address, configuration)
        api = await stack.enter_async_context(ApiClient(configuration))
    return KubernetesClient(api, address, namespace, renew)


@contextmanager
def _named() -> Iterator[None]:
    from kubernetes_asyncio.config import ConfigException
    from yaml import YAMLError  # type: ignore[import-untyped]  # types for one name are no dependency worth having

    try:
        yield
    except ConfigException as error:
        raise KubernetesConfigError(str(error).strip(".")) from error
    except OSError as error:
        raise KubernetesConfigError(
            f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}"
        ) from error
    except YAMLError as error:
        raise KubernetesConfigError("the kubeconfig is not YAML") from error
    except (AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        # The library takes a kubeconfig for complete; the text of such an error may quote what is in it.
        raise KubernetesConfigError(f"the kubeconfig is not complete: {type(error).__name__}") from error


Loaded = tuple[str, Callable[[], Awaitable[None]]]


async def _in_cluster(address: KubernetesAddress, configuration: Any) -> Loaded:
    from kubernetes_asyncio.config.incluster_config import InClusterConfigLoader

    loader = InClusterConfigLoader(str(address.account / "token"), str(address.account / "ca.crt"))
    loader.load_and_set(configuration)

    async def renew() -> None:
        # The kubelet puts a new token in the place of one that is about to expire (projected volumes).
        loader.token_expires_at = datetime.min  # noqa: DTZ901 - the library compares it with a naive one
        with _named():
            configuration.refresh_api_key_hook(configuration)

    namespace = address.account / "namespace"
    return (namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else ""), renew


async def _from_kubeconfig(address: KubernetesAddress, configuration: Any) -> Loaded:
    from kubernetes_asyncio.config import load_kube_config

    async def load(into: Any) -> Any:
        file = None if address.kubeconfig is None else str(address.kubeconfig)
        return await load_kube_config(file, address.context or None, into, persist_config=False)

    async def renew() -> None:
        with _named():
            await load(configuration)

    loader = await load(configuration)
    context = loader.current_context or {}
    return str(context.get("context", {}).get("namespace") or "default"), renew


def _refusal(status: int, data: bytes, wait: str) -> KubernetesApiError:
    try:
        said = msgspec.json.decode(data, type=_Status)
    except msgspec.DecodeError:
        said = _Status()  # whoever answers is no API server
    return KubernetesApiError(status, said.reason, said.message, float(wait) if wait.isdecimal() else None)


class _Status(msgspec.Struct):
    reason: str = ""
    message: str = ""
