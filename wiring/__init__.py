"""Where the services are used: ``inject``, the types of injected parameters, starting and stopping.

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
        Http,
        JobQueue,
        Keyring,
        Redactor,
        Runner,
        Sessions,
        Settings,
        SharedComponentCache,
        Socket,
        State,
        Storage,
        Store,
        Tasks,
        Telemetry,
        Tracing,
        Variables,
        Workers,
    )
    from bedplate.wiring.lifespan import current_container, initialize_services, teardown_services

__all__ = [
    "Auth",
    "Cache",
    "Chat",
    "Database",
    "Http",
    "JobQueue",
    "Keyring",
    "Redactor",
    "Runner",
    "Sessions",
    "Settings",
    "SharedComponentCache",
    "Socket",
    "State",
    "Storage",
    "Store",
    "Tasks",
    "Telemetry",
    "Tracing",
    "Variables",
    "Workers",
    "current_container",
    "initialize_services",
    "inject",
    "teardown_services",
]

if not TYPE_CHECKING:  # a type checker would take every name for one that this finds
    _HOMES = {
        "inject": "bedplate.containers.injection",
        "current_container": "bedplate.wiring.lifespan",
        "initialize_services": "bedplate.wiring.lifespan",
        "teardown_services": "bedplate.wiring.lifespan",
    }

    def __getattr__(name: str) -> object:
        # Imported when asked for: the command line passes through this package, and its help must not wait for the
        # container.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_HOMES.get(name, "bedplate.wiring.aliases")), name)
        return value
