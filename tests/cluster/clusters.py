"""Replicas and what they work with, for the tests that share them."""

from typing import NamedTuple, Self

from tests.servers.replicas import Replica

from bedplate.wiring.testing.llm import LocalLLM
from bedplate.wiring.testing.servers.valkey import ValkeyServer

__all__ = ["Cluster"]


class Cluster(NamedTuple):
    """Replicas and what they work with."""

    replicas: list[Replica]
    valkey: ValkeyServer
    llm: LocalLLM

    def revived(self) -> Self:
        """The same, with every replica running, also after some were killed, and the model as it was at first."""
        self.llm.reset()
        dead = [replica for replica in self.replicas if not replica.running]
        for replica in dead:
            replica.begin()
        for replica in dead:
            replica.wait_ready()
        return self
