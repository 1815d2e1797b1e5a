"""Who calls a Kubernetes API, and how: in a cluster the account of the pod, elsewhere a kubeconfig."""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["KubernetesAddress", "KubernetesConfigError", "config_errors", "load_config"]

Loaded = tuple[str, Callable[[], Awaitable[None]]]


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


@contextmanager
def config_errors() -> Iterator[None]:
    """Turn what the library says of a configuration into an error that quotes nothing secret of it.

    Raises:
        KubernetesConfigError: Something inside the block is wrong with it.
    """
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


async def load_config(address: KubernetesAddress, configuration: Any) -> Loaded:
    """Read the account of the pod, or the kubeconfig, into a configuration of the library.

    Returns:
        The namespace of the surroundings, and what reads the credentials anew.
    """
    load = _in_cluster if address.in_cluster else _from_kubeconfig
    return await load(address, configuration)


async def _in_cluster(address: KubernetesAddress, configuration: Any) -> Loaded:
    from kubernetes_asyncio.config.incluster_config import InClusterConfigLoader

    loader = InClusterConfigLoader(str(address.account / "token"), str(address.account / "ca.crt"))
    loader.load_and_set(configuration)

    async def renew() -> None:
        # The kubelet puts a new token in the place of one that is about to expire (projected volumes).
        loader.token_expires_at = datetime.min  # noqa: DTZ901 - the library compares it with a naive one
        with config_errors():
            configuration.refresh_api_key_hook(configuration)

    namespace = address.account / "namespace"
    return (namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else ""), renew


async def _from_kubeconfig(address: KubernetesAddress, configuration: Any) -> Loaded:
    from kubernetes_asyncio.config import load_kube_config

    async def load(into: Any) -> Any:
        file = None if address.kubeconfig is None else str(address.kubeconfig)
        return await load_kube_config(file, address.context or None, into, persist_config=False)

    async def renew() -> None:
        with config_errors():
            await load(configuration)

    loader = await load(configuration)
    context = loader.current_context or {}
    return str(context.get("context", {}).get("namespace") or "default"), renew
