"""The execution of flows as a parameter of routes."""

from typing import Annotated

from dependency_injector.wiring import Provide
from fastapi import Depends

from bedplate.containers import ApplicationContainer
from bedplate.wiring import inject
from bedplate.wiring.execution import Execution

__all__ = ["FlowExecution"]


@inject
async def _execution(container: Annotated[ApplicationContainer, Provide["<container>"]]) -> Execution:
    return Execution.of(container)


FlowExecution = Annotated[Execution, Depends(_execution)]
