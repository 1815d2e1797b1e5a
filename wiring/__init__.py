"""Where the services are used: ``inject``, and the types of injected parameters.

::

    from bedplate.wiring import Database, inject


    @router.get("/flows/{flow_id}")
    @inject
    async def read_flow(flow_id: UUID, database: Database) -> FlowRead: ...
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedplate.containers.injection import inject
    from bedplate.wiring.aliases import (
        Auth,
        Cache,
        Chat,
        Database,
        JobQueue,
        Sessions,
        Settings,
        SharedComponentCache,
        Telemetry,
        Tracing,
        Variables,
    )

__all__ = [
    "Auth",
    "Cache",
    "Chat",
    "Database",
    "JobQueue",
    "Sessions",
    "Settings",
    "SharedComponentCache",
    "Telemetry",
    "Tracing",
    "Variables",
    "inject",
]

if not TYPE_CHECKING:  # a type checker would take every name for one that this finds

    def __getattr__(name: str) -> object:
        # Imported when asked for: the command line passes through this package, and its help must not wait for the
        # container.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module = import_module("bedplate.containers.injection" if name == "inject" else "bedplate.wiring.aliases")
        return getattr(module, name)
