"""Replicas and workers over shared engines, configured by the cluster profile and the addresses alone."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import httpx
from examples.cluster.engines import Engines, engines
from examples.demo.processes import Place, Running, Server, free_port

__all__ = ["Cluster", "cluster", "setup_link"]


class Cluster:
    """A cluster whose engines run.

    Args:
        folder: Where everything is kept.
        shared: The engines.
        environment: What replicas and workers are told beside that.
        ports: Where replicas listen.

    Attributes:
        replicas: Where each replica is started.
        env_file: The settings of all of them, for ``BEDPLATE_ENV_FILE``.
    """

    def __init__(self, folder: Path, shared: Engines, environment: Mapping[str, str], ports: Sequence[int]) -> None:
        self.shared = shared
        self.env_file = folder / "cluster.env"
        told = {
            "BEDPLATE_PROFILE": "cluster",
            "BEDPLATE_SECRET_KEY": _secret_key(folder / "secret_key"),
            # All of it is on this machine, and browsers reach it without TLS.
            "BEDPLATE_SERVER__HOST": "127.0.0.1",
            "BEDPLATE_AUTH__COOKIE_SECURE": "false",
            # Nothing asks for readiness before it sends requests.
            "BEDPLATE_SERVER__DRAIN_DELAY": "0",
            # Tasks are for workers.
            "BEDPLATE_TASK__EXECUTE": "false",
            **shared.environment,
            **environment,
        }
        _write_private(self.env_file, "".join(f"{name}='{value}'\n" for name, value in told.items()))
        known = {"BEDPLATE_ENV_FILE": str(self.env_file)}
        self.replicas = [Place(folder / f"replica-{number}", known, port=port) for number, port in enumerate(ports, 1)]
        self._workers = Place(folder / "workers", known, port=free_port())

    @contextmanager
    def serving(self) -> Iterator[list[Server]]:
        """Start all replicas at once, for the length of a block."""
        with ExitStack() as stack:
            with ThreadPoolExecutor(len(self.replicas)) as pool:
                servers = list(pool.map(lambda place: stack.enter_context(place.serving()), self.replicas))
            yield servers

    def working(self, name: str) -> AbstractContextManager[Running]:
        """Start a worker, for the length of a block."""
        return self._workers.working(name)


def setup_link(servers: Sequence[Server]) -> str:
    """The link with which the first superuser is made: the last one that was printed; empty where there is one."""
    links = [server.setup_link for server in servers if server.setup_link]
    return next((link for link in links if httpx.get(link).status_code == httpx.codes.OK), "")


@contextmanager
def cluster(
    folder: Path, environment: Mapping[str, str] | None = None, *, ports: Sequence[int] = (0, 0)
) -> Iterator[Cluster]:
    """Run the engines of a cluster for the length of a block.

    Args:
        folder: Where everything is kept, and found the next time.
        environment: Further ``BEDPLATE_*`` variables of replicas and workers.
        ports: Where replicas listen; 0: somewhere.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with engines(folder) as shared:
        yield Cluster(folder, shared, environment or {}, [port or free_port() for port in ports])


def _secret_key(path: Path) -> str:
    if not path.exists():
        _write_private(path, secrets.token_hex(32))
    return path.read_text()


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
