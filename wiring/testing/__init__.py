"""What tests of an application use: fixtures of the pytest plugin, servers of one's own, conformance suites.

The fixtures (``container``, ``client``, ``user``, ``as_user``) come with the plugin, which pytest finds by itself. The
rest is imported from here, under the shorter name :mod:`bedplate.testing`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedplate.wiring.testing.cache import CacheConformance, CacheHarness
    from bedplate.wiring.testing.cancellation import cancel_at_every_await
    from bedplate.wiring.testing.chat import ChatConformance, ChatHarness
    from bedplate.wiring.testing.clients import Clients
    from bedplate.wiring.testing.job_queue import JobQueueConformance, JobQueueHarness
    from bedplate.wiring.testing.llm import LocalLLM
    from bedplate.wiring.testing.socket import SocketConformance, SocketHarness
    from bedplate.wiring.testing.state import StateConformance, StateHarness
    from bedplate.wiring.testing.storage import StorageConformance, StorageHarness
    from bedplate.wiring.testing.storage.installed import InstalledStorage
    from bedplate.wiring.testing.store import StoreConformance, StoreHarness
    from bedplate.wiring.testing.suite import Suite, capability_table
    from bedplate.wiring.testing.task import TaskConformance, TaskHarness
    from bedplate.wiring.testing.variable import VariableConformance, VariableHarness

__all__ = [
    "CacheConformance",
    "CacheHarness",
    "ChatConformance",
    "ChatHarness",
    "Clients",
    "InstalledStorage",
    "JobQueueConformance",
    "JobQueueHarness",
    "LocalLLM",
    "SocketConformance",
    "SocketHarness",
    "StateConformance",
    "StateHarness",
    "StorageConformance",
    "StorageHarness",
    "StoreConformance",
    "StoreHarness",
    "Suite",
    "TaskConformance",
    "TaskHarness",
    "VariableConformance",
    "VariableHarness",
    "cancel_at_every_await",
    "capability_table",
]

if not TYPE_CHECKING:  # a type checker would take every name for one that this finds
    _HOMES = {
        "CacheConformance": "cache",
        "CacheHarness": "cache",
        "ChatConformance": "chat",
        "ChatHarness": "chat",
        "Clients": "clients",
        "InstalledStorage": "storage.installed",
        "JobQueueConformance": "job_queue",
        "JobQueueHarness": "job_queue",
        "LocalLLM": "llm",
        "SocketConformance": "socket",
        "SocketHarness": "socket",
        "StateConformance": "state",
        "StateHarness": "state",
        "StorageConformance": "storage",
        "StorageHarness": "storage",
        "StoreConformance": "store",
        "StoreHarness": "store",
        "VariableConformance": "variable",
        "VariableHarness": "variable",
        "TaskConformance": "task",
        "TaskHarness": "task",
        "Suite": "suite",
        "cancel_at_every_await": "cancellation",
        "capability_table": "suite",
    }

    def __getattr__(name: str) -> object:
        # Imported when asked for: pytest loads the plugin below this package in every run of every project.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
