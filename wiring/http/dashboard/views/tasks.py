"""Background tasks: waiting, running, done, and the dead letters."""

from starlette.responses import Response

from bedplate.services.task import TaskStatus
from bedplate.services.task.models import TaskPage
from bedplate.wiring.http.dashboard.visit import SYSTEM, Visit

__all__ = ["cancel", "index", "requeue", "show"]

_PAGE = 50
_NOTHING = TaskPage(items=(), next_cursor=None)


async def index(visit: Visit) -> Response:
    """The latest tasks of all owners, or of one; those that failed are the dead letters."""
    tasks = visit.container.task()
    status, cursor, user = visit.choice("status", TaskStatus), visit.asked("cursor"), visit.asked("user")
    name = visit.asked("name")
    if user is None:
        found = await tasks.list_all(name=name, status=status, limit=_PAGE, cursor=cursor)
    elif user == SYSTEM:
        found = await tasks.list(None, name=name, status=status, limit=_PAGE, cursor=cursor)
    else:
        owner = await visit.people.id(user)
        found = await tasks.list(owner, name=name, status=status, limit=_PAGE, cursor=cursor) if owner else _NOTHING
    names = await visit.people.names(task.user_id for task in found.items)
    return visit.page("tasks.html", tasks=found, names=names, statuses=list(TaskStatus), chosen=status)


async def show(visit: Visit) -> Response:
    """A task with its arguments, its progress, its result, and why it failed."""
    owner, task_id = visit.owner(), visit.id("task")
    task = await visit.container.task().get(owner, task_id)
    names = await visit.people.names([owner])
    return visit.page("task.html", task=visit.masked_struct(task), owner=names[owner])


async def cancel(visit: Visit) -> Response:
    """Cancel a task, and show it."""
    owner, task_id = visit.owner(), visit.id("task")
    task = await visit.container.task().cancel(owner, task_id)
    await visit.audit("task_cancelled", owner, task_id, status=str(task.status), task=task.name)
    return visit.back_to(f"/dashboard/tasks/{owner or SYSTEM}/{task_id}")


async def requeue(visit: Visit) -> Response:
    """Have a dead letter tried again, and show it."""
    owner, task_id = visit.owner(), visit.id("task")
    task = await visit.container.task().requeue(owner, task_id)
    await visit.audit("task_requeued", owner, task_id, task=task.name)
    return visit.back_to(f"/dashboard/tasks/{owner or SYSTEM}/{task_id}")
