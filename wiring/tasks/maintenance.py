"""Bedplate's own scheduled tasks: what is old, expired or left over is deleted, by one process for all."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Protocol

from bedplate.containers.injection import inject
from bedplate.services.auth import AuthService
from bedplate.services.session import SessionService
from bedplate.services.storage import Namespace
from bedplate.services.task import TaskContext, task
from bedplate.services.variable import VariableService
from bedplate.wiring.aliases import Auth, Chat, JobQueue, Sessions, Storage, Tasks, Tracing, Variables

__all__ = ["delete_expired", "delete_orphans"]

_PAGE: Final = 500


class _Keeps(Protocol):
    """A service that keeps some of its rows for a time."""

    async def delete_old(self) -> int:
        """Delete some of what is kept no longer; how many rows."""
        ...


@task("bedplate.maintenance.expired", cron="23 * * * *")
@inject
async def delete_expired(
    context: TaskContext,
    tasks: Tasks,
    jobs: JobQueue,
    auth: Auth,
    sessions: Sessions,
    chat: Chat,
    tracing: Tracing,
    variables: Variables,
) -> dict[str, int]:
    """Delete what the settings keep no longer, in small transactions; how many rows of each service."""
    counts = {"logins": await auth.sessions.delete_expired(), "sessions": await sessions.delete_expired()}
    keeping: dict[str, _Keeps] = {
        "tasks": tasks,
        "jobs": jobs,
        "builds": sessions,
        "messages": chat,
        "traces": tracing,
        "variables": variables,
    }
    for name, service in keeping.items():
        counts[name] = 0
        while some := await service.delete_old():
            counts[name] += some
            context.progress(None, f"{counts[name]} {name} deleted")
    return counts


@task("bedplate.maintenance.orphans", cron="41 3 * * *")
@inject
async def delete_orphans(
    context: TaskContext, storage: Storage, auth: Auth, sessions: Sessions, variables: Variables
) -> dict[str, int]:
    """Delete what is left of users and flows that are gone, as when a process died between the two; how many of each.

    Files are deleted after the row that they hang on, so what has none is nobody's; other kinds of namespaces than
    those of users and flows are an application's own, and go with their owner only.
    """
    counts = {"namespaces": 0, "owners": 0, "flows": 0}
    last: Namespace | None = None
    while page := await storage.namespaces(after=last, limit=_PAGE):
        last = page[-1]
        counts["namespaces"] += len(page)
        gone = await auth.users.missing({one.owner for one in page})
        for owner in gone:
            await storage.delete_owner(owner)
        flows = await _without_flow([one for one in page if one.kind == "flow" and one.owner not in gone], sessions)
        for namespace in flows:
            await storage.delete_namespace(namespace)
        counts["owners"] += len(gone)
        counts["flows"] += len(flows)
        context.progress(None, f"{counts['namespaces']} namespaces looked at")
    counts["vaults"] = await _delete_vaults(variables, auth)
    return counts


async def _delete_vaults(variables: VariableService, auth: AuthService) -> int:
    """Delete the variables of users who are gone, where the database does not; of how many."""
    deleted = 0
    last: uuid.UUID | None = None
    while page := await variables.owners(last, limit=_PAGE):
        last = page[-1]
        for owner in await auth.users.missing(set(page)):
            deleted += await variables.delete_owner(owner)
    return deleted


async def _without_flow(namespaces: Sequence[Namespace], sessions: SessionService) -> list[Namespace]:
    """Those of the namespaces of flows whose flow is gone."""
    by_owner: dict[uuid.UUID, dict[uuid.UUID, Namespace]] = defaultdict(dict)
    for one in namespaces:
        by_owner[one.owner][one.id] = one
    gone: list[Namespace] = []
    for owner, flows in by_owner.items():
        gone += [flows[flow_id] for flow_id in await sessions.flows.missing(owner, flows)]
    return gone
