"""DB-7: what a Langflow 1.6 database holds is carried over, all of it or nothing, as often as wanted."""

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any

import pytest
import sqlalchemy as sa
from tests.integration.langflow.conftest import Import
from tests.integration.langflow.installation import (
    ADA_KEY,
    APIKEY,
    FOLDER,
    MESSAGE,
    MOMENT,
    OPENAI_KEY,
    PASSWORD,
    TRANSACTION,
    Installation,
)

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import Credentials
from bedplate.services.chat import NewMessage
from bedplate.services.database.models import metadata
from bedplate.services.errors import BedplateError
from bedplate.services.storage import Namespace
from bedplate.wiring.langflow import ImportReport, Outcome
from bedplate.wiring.testing.cancellation import cancelled_at

both = pytest.mark.parametrize("installation", ["sqlite", "postgres"], indirect=True)


def _filled(installation: Installation) -> dict[str, uuid.UUID]:
    ada, bob = installation.user("ada"), installation.user("Bob", is_active=False)
    project = installation.add(FOLDER, name="Engines", user_id=ada, auth_settings={"auth_type": "apikey"})
    inner = installation.add(FOLDER, name="Inner", user_id=ada, parent_id=project)
    flow = installation.flow(
        ada, "Greeting", folder_id=inner, endpoint_name="greeting", tags=["a", "b"], updated_at=MOMENT
    )
    installation.add(APIKEY, api_key=ADA_KEY, name="of ada", user_id=ada, total_uses=7)
    for number in range(3):
        installation.add(
            MESSAGE,
            text=f"message {number}",
            flow_id=flow,
            files=[f"{flow}/notes.txt"],
            properties={"icon": "x"},
            content_blocks=['{"title": "a block"}', {"title": "another"}],
        )
    installation.variable(ada, "OPENAI_API_KEY", OPENAI_KEY, default_fields=["api_key"])
    installation.variable(ada, "TONE", "friendly", type="Generic")
    installation.content(flow, "notes.txt", b"notes of a flow")
    installation.file(ada, "report.pdf", b"%PDF of ada")
    installation.add(TRANSACTION, vertex_id="x", flow_id=flow)
    return {"ada": ada, "bob": bob, "project": project, "inner": inner, "flow": flow}


def _counts(report: ImportReport, outcome: Outcome) -> dict[str, int]:
    return {table: counts[outcome] for table, counts in report.counts.items() if counts[outcome]}


@both
async def test_everything_is_carried_over_and_goes_on_working(
    installation: Installation, carry: Import, container: ApplicationContainer
) -> None:
    """DB-7: users log in, keys open, flows, messages, variables and files are there under their old ids."""
    ids = _filled(installation)
    report = await carry()
    assert _counts(report, Outcome.CARRIED) == {
        "user": 2, "apikey": 1, "folder": 2, "flow": 1, "message": 3, "variable": 2, "file": 1, "file of a flow": 1,
    }  # fmt: skip
    assert _counts(report, Outcome.LEFT_OUT) == {"transaction": 1}
    assert not _counts(report, Outcome.CHANGED)

    ada, flow_id = ids["ada"], ids["flow"]
    tokens = await container.auth().login("ada", PASSWORD)
    for credentials in (Credentials(bearer=tokens.access_token), Credentials(api_key=ADA_KEY)):
        assert (await container.auth().verify(credentials)).user.id == ada
    flow = await container.session().flows.get(ada, flow_id)
    assert (flow.name, flow.endpoint_name, flow.tags, flow.folder_id) == (
        "Greeting",
        "greeting",
        ["a", "b"],
        ids["inner"],
    )
    assert flow.updated_at == MOMENT
    assert (await container.session().projects.get(ada, ids["inner"])).parent_id == ids["project"]
    page = await container.chat().list(ada, flow_id=flow_id)
    assert sorted(message.text for message in page.items) == ["message 0", "message 1", "message 2"]
    message = page.items[0]
    assert (message.timestamp, message.files) == (MOMENT, (f"{flow_id}/notes.txt",))
    assert [block["title"] for block in message.content_blocks] == ["a block", "another"]
    assert (await container.variable().resolve(ada, "OPENAI_API_KEY")).get_secret_value() == OPENAI_KEY
    assert (await container.variable().get(ada, "TONE")).value == "friendly"
    [listed] = await container.storage().files.list(ada)
    async with await container.storage().files.open(listed) as opened:
        assert (listed.filename, b"".join([piece async for piece in opened])) == ("report.pdf", b"%PDF of ada")
    async with await container.storage().open(Namespace.flow(ada, flow_id), "notes.txt") as opened:
        assert b"".join([piece async for piece in opened]) == b"notes of a flow"


@both
async def test_a_second_import_changes_nothing_and_adds_what_is_new(
    installation: Installation, carry: Import, container: ApplicationContainer
) -> None:
    """DB-7: idempotent, also over what was changed here in between."""
    ids = _filled(installation)
    first = await carry()
    await container.variable().update(ids["ada"], "TONE", value="curt")
    new = installation.flow(ids["ada"], "A second one", folder_id=ids["project"])
    second = await carry()
    assert _counts(second, Outcome.PRESENT) == _counts(first, Outcome.CARRIED)
    assert _counts(second, Outcome.CARRIED) == {"flow": 1}
    assert (await container.session().flows.get(ids["ada"], new)).name == "A second one"
    assert (await container.variable().get(ids["ada"], "TONE")).value == "curt"
    assert len(await container.storage().files.list(ids["ada"])) == 1


async def test_a_dry_run_reports_the_same_and_stores_nothing(
    installation: Installation, carry: Import, container: ApplicationContainer
) -> None:
    """DB-7"""
    _filled(installation)
    before = await _everything(container)
    dry = await carry(dry=True)
    assert await _everything(container) == before
    assert dict((await carry()).counts) == dict(dry.counts)


async def test_an_import_that_is_cancelled_anywhere_leaves_nothing(
    installation: Installation, carry: Import, container: ApplicationContainer
) -> None:
    """DB-7: a half-imported database is rolled back whole, and the copies of files are taken back."""
    _filled(installation)
    before = await _everything(container)
    cancelled = 0
    for step in range(1, 400, 7):  # every await would take minutes
        task = asyncio.create_task(_run(step, carry()))
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
            break
        cancelled += 1
        if await _everything(container) != before:
            break  # at the very end, when all of it was stored
    assert cancelled > 10
    report = await carry()
    assert _counts(report, Outcome.LEFT_OUT) == {"transaction": 1}
    assert len(_counts(report, Outcome.PRESENT) or _counts(report, Outcome.CARRIED)) == 8
    ada = (await container.auth().users.named("ada")).id
    [file] = await container.storage().files.list(ada)
    async with await container.storage().files.open(file) as opened:
        assert b"".join([piece async for piece in opened]) == b"%PDF of ada"


async def _run(step: int, work: Coroutine[Any, Any, Any]) -> None:
    await cancelled_at({step}, work)


async def test_an_import_that_fails_late_leaves_nothing(
    installation: Installation, carry: Import, container: ApplicationContainer
) -> None:
    """DB-7: the tables of Langflow are read in turn; the last of them is damaged."""
    _filled(installation)
    before = await _everything(container)
    async with container.database().transaction() as session:
        await (await session.connection()).execute(
            sa.text("CREATE TRIGGER broken BEFORE INSERT ON bedplate_file BEGIN SELECT RAISE(ABORT, 'no'); END")
        )
    with pytest.raises(BedplateError):
        await carry()
    assert await _everything(container) == before


async def _everything(container: ApplicationContainer) -> tuple[dict[str, int], list[str]]:
    """How many rows every table has, and the names of all stored files."""
    async with container.database().session() as session:
        rows = {
            table.name: (await session.scalar(sa.select(sa.func.count()).select_from(table))) or 0
            for table in metadata.sorted_tables
        }
    files = container.settings().values.data_dir / "files"
    return rows, sorted(path.name for path in files.rglob("*") if path.is_file())


async def test_users_who_are_the_same_are_named(
    installation: Installation, carry: Import, container: ApplicationContainer
) -> None:
    """DB-7: a user of the same name is somebody else unless the operator says so."""
    there = installation.user("ada")
    flow = installation.flow(there, "Greeting")
    message = installation.add(MESSAGE, text="hello", flow_id=flow)
    here = await container.auth().create_superuser("Ada", "another password entirely")
    report = await carry()
    assert _counts(report, Outcome.LEFT_OUT) == {"user": 1, "flow": 1, "message": 1}
    assert "--map-user 'ada=ada'" in report.entries[0].reason
    report = await carry(users={"ada": "Ada"})
    assert report.of("flow", Outcome.CHANGED) == 1  # it went to the default project
    assert (await container.session().flows.get(here.id, flow)).name == "Greeting"
    assert [found.id for found in (await container.chat().list(here.id, flow_id=flow)).items] == [message]
    await container.chat().append(
        here.id, NewMessage(session_id="a session", sender="User", sender_name="Ada", text="more", flow_id=flow)
    )
    assert (await carry(users={"ada": "Ada"})).of("message", Outcome.PRESENT) == 1
