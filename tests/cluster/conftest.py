"""Two replicas that share everything, for the tests of sockets and of restarts."""

from collections.abc import Iterator

import pytest
from tests.cluster.clusters import Cluster
from tests.servers.replicas import replicas, shared_environment

from bedplate.wiring.testing.llm import LocalLLM
from bedplate.wiring.testing.servers.postgres import new_database
from bedplate.wiring.testing.servers.valkey import ValkeyServer


@pytest.fixture(scope="session")
def shared_pair(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Cluster]:
    """Two replicas; tests that use it are of one xdist group."""
    folder = tmp_path_factory.mktemp("pair")
    with LocalLLM() as llm, ValkeyServer(tmp_path_factory.mktemp("valkey"), durable=True) as valkey:
        environment = shared_environment(
            database=new_database(postgres_url),
            redis=valkey.url,
            JOB_QUEUE__BACKEND="redis",
            STATE__BACKEND="redis",
            SOCKET__BACKEND="redis",
            SOCKET__TRANSPORTS='["websocket"]',
            SOCKET__MAX_CONNECTIONS_PER_USER="3",
            SOCKET__REVALIDATE_INTERVAL="3600",
            SERVER__DRAIN_DELAY="1",
            SERVER__DRAIN_TIMEOUT="4",
            SERVER__STOP_TIMEOUT="20",
            SESSION__LLM_BASE_URL=llm.base_url,
            SESSION__LLM_RETRY_DELAY="0",
        )
        with replicas(folder, 2, environment) as running:
            yield Cluster(running, valkey, llm)


@pytest.fixture
def pair(shared_pair: Cluster) -> Cluster:
    """Two replicas that run, also after one was killed."""
    return shared_pair.revived()
