"""Where the services are used: ``inject``, and the types of injected parameters.

::

    from bedplate.wiring import Database, inject


    @router.get("/flows/{flow_id}")
    @inject
    async def read_flow(flow_id: UUID, database: Database) -> FlowRead: ...
"""

from bedplate.containers.injection import inject
from bedplate.wiring.aliases import Database, Settings, Telemetry

__all__ = ["Database", "Settings", "Telemetry", "inject"]
