"""DB-7: every row that does not come as it was is reported with the reason, and none of them stops the others."""

import random
import uuid
from pathlib import Path

import pytest
from tests.integration.langflow.conftest import Import
from tests.integration.langflow.installation import (
    ADA_KEY,
    APIKEY,
    FLOW,
    FOLDER,
    MESSAGE,
    MOMENT,
    VARIABLE,
    Installation,
)

from bedplate.containers import ApplicationContainer
from bedplate.services.auth.errors import InactiveUserError
from bedplate.services.errors import InvalidInputError, NotFoundError
from bedplate.services.storage import Namespace
from bedplate.wiring.langflow import ImportReport, Outcome
from bedplate.wiring.langflow.secrets import LangflowSecrets


def _reasons(report: ImportReport, table: str, outcome: Outcome = Outcome.LEFT_OUT) -> list[str]:
    return [entry.reason for entry in report.entries if entry.table == table and entry.outcome is outcome]


async def test_users(installation: Installation, carry: Import, container: ApplicationContainer) -> None:
    """DB-7: no default account comes in through the back door."""
    installation.user("langflow", "langflow", is_superuser=True, last_login_at=MOMENT.replace(tzinfo=None))
    odd = installation.user("odd")
    installation.execute(f"UPDATE user SET password = 'plain' WHERE id = '{odd.hex}'")
    installation.user(" spaced ")
    installation.user("kim", store_api_key="gAAAAABmc3RvcmU")
    report = await carry()
    assert _reasons(report, "user") == ["The username must not begin or end with a space"]
    assert sorted(_reasons(report, "user", Outcome.CHANGED)) == [
        "it has the well-known password of Langflow: deactivated until a superuser sets another",
        "its key of the Langflow store was not carried over",
        "its password hash is of no known kind: it cannot log in before a superuser resets the password",
    ]
    with pytest.raises(InactiveUserError):
        await container.auth().login("langflow", "langflow")


async def test_flows_and_projects(installation: Installation, carry: Import, container: ApplicationContainer) -> None:
    """DB-7"""
    ada = installation.user()
    installation.flow(None, "of nobody")
    installation.flow(uuid.uuid4(), "of a stranger")
    no_flow = installation.flow(ada, "no flow", data={"nodes": []})
    installation.flow(ada, "bad endpoint", endpoint_name="a/b")
    flow = installation.flow(ada, "good", folder_id=uuid.uuid4())
    installation.add(FOLDER, name="", user_id=ada)
    installation.add(FOLDER, name="guarded", user_id=ada, auth_settings={"auth_type": "oauth", "secret": "x"})
    installation.add(MESSAGE, text="of no flow")
    installation.add(MESSAGE, text="of what was left out", flow_id=no_flow)
    installation.add(MESSAGE, text="bad", flow_id=flow, properties=["no", "object"])
    report = await carry()
    assert sorted(_reasons(report, "flow")) == [
        "an endpoint name holds a wrong character",
        "it belongs to no user",
        "its user was left out, or is not there",
        "the flow has no list of edges",
    ]
    assert _reasons(report, "flow", Outcome.CHANGED) == ["its project is not there: it went to the default one"]
    assert _reasons(report, "folder") == ["the name of a project is empty"]
    assert _reasons(report, "folder", Outcome.CHANGED) == ["its MCP credentials were not carried over"]
    assert sorted(_reasons(report, "message")) == [
        "it belongs to no flow, so nobody can be said to own it",
        "its flow was left out, or is not there",
        "its properties is no JSON object",
    ]
    assert (await container.session().flows.get(ada, flow)).name == "good"


async def test_names_that_are_taken_get_a_number(
    installation: Installation, carry: Import, container: ApplicationContainer
) -> None:
    """DB-7: into the account of somebody who has flows, projects and files already."""
    here = await container.auth().create_superuser("ada", "another password")
    first = installation.user("ada")
    project = installation.add(FOLDER, name="Engines", user_id=first)
    flow = installation.flow(first, "Greeting", endpoint_name="greet", folder_id=project)
    installation.file(first, "report.pdf", b"one")
    await carry(users={"ada": "ada"})
    for table in (FLOW, FOLDER):
        installation.execute(f"DELETE FROM {table.name}")
    installation.execute("DELETE FROM file")
    again = installation.add(FOLDER, name="Engines", user_id=first)
    second = installation.flow(first, "Greeting", endpoint_name="greet", folder_id=again)
    installation.file(first, "report.pdf", b"two")
    report = await carry(users={"ada": "ada"})
    assert _reasons(report, "folder", Outcome.CHANGED) == ["its flows went to the project of the same name"]
    made = await container.session().flows.get(here.id, second)
    assert (made.name, made.endpoint_name, made.folder_id) == ("Greeting (1)", "greet-1", project)
    assert (await container.session().flows.get(here.id, flow)).name == "Greeting"
    contents = {}
    for file in await container.storage().files.list(here.id):
        async with await container.storage().files.open(file) as opened:
            contents[file.filename] = b"".join([piece async for piece in opened])
    assert contents == {"report.pdf": b"one", "report (1).pdf": b"two"}


async def test_variables_that_cannot_be_opened(
    installation: Installation, carry: Import, container: ApplicationContainer
) -> None:
    """DB-7, prior art §16.4: never a ciphertext in the place of a value."""
    ada = installation.user()
    installation.variable(ada, "GOOD", "a value")
    installation.add(VARIABLE, name="CLEAR", value="in clear", type="Generic", user_id=ada)
    installation.add(VARIABLE, name="CLEAR_CREDENTIAL", value="in clear", user_id=ada)
    installation.variable(ada, "GOOD", "the same name")
    installation.variable(ada, "", "no name")
    report = await carry()
    assert report.of("variable", Outcome.CARRIED) == 2
    assert len(_reasons(report, "variable")) == 3
    assert "the secret key of Langflow does not decrypt it" in _reasons(report, "variable")
    assert (await container.variable().get(ada, "CLEAR")).value == "in clear"
    with pytest.raises(NotFoundError):
        await container.variable().get(ada, "CLEAR_CREDENTIAL")


@pytest.mark.parametrize("key", ["another-key-that-is-long-enough-to-be-one", None])
async def test_a_wrong_or_missing_key_carries_all_but_the_variables(
    installation: Installation, carry: Import, key: str | None
) -> None:
    """DB-7"""
    ada = installation.user()
    installation.variable(ada, "SECRET", "a value")
    report = await carry(secret_key=key)
    [reason] = _reasons(report, "variable")
    assert "secret key of Langflow" in reason
    assert report.of("user", Outcome.CARRIED) == 1


def test_a_short_key_is_the_seed_that_langflow_made_of_it() -> None:
    """DB-7: GHSA-jxw3-mjmx-3pqm. The token was made by langflow-base 0.6.9; nobody else's random numbers change."""
    token = "gAAAAABrCteDGVDJus4DvSKdVm5QC8ZxLb3S11PaeMLmNdD51E1xKBqV9VODGL5EK-PnEfJFLg1E0m3ac5jwa5hUBylkhpc06A=="
    state = random.getstate()
    assert LangflowSecrets("short").open(token) == "a value of old"
    assert random.getstate() == state


async def test_api_keys(installation: Installation, carry: Import) -> None:
    """DB-7"""
    ada = installation.user()
    installation.add(APIKEY, api_key=ADA_KEY, user_id=ada)
    installation.add(APIKEY, api_key="", user_id=ada)
    installation.add(APIKEY, api_key="sk-of-a-stranger", user_id=uuid.uuid4())
    assert sorted(_reasons(await carry(), "apikey")) == [
        "it is no key that could be sent",
        "its user was left out, or is not there",
    ]


async def test_files(
    installation: Installation, carry: Import, container: ApplicationContainer, tmp_path: Path
) -> None:
    """DB-7: nothing outside of the folder is read, whatever a row or a link says."""
    ada = installation.user()
    flow = installation.flow(ada)
    secret = tmp_path / "secret.txt"
    secret.write_text("of the machine")
    installation.file(ada, "gone.txt", None)
    installation.file(ada, "outside.txt", None, path="../../secret.txt")
    (installation.folder / str(ada)).mkdir()
    (installation.folder / str(ada) / "link.txt").symlink_to(secret)
    installation.file(ada, "link.txt", None)
    installation.content(flow, "notes.txt", b"notes")
    (installation.folder / str(flow) / "link.txt").symlink_to(secret)
    report = await carry()
    assert _reasons(report, "file") == ["its content is not in the folder"] * 3
    assert report.of("file of a flow", Outcome.CARRIED) == 1
    assert await container.storage().files.list(ada) == []
    names = [info.name for info in await container.storage().list(Namespace.flow(ada, flow))]
    assert names == ["notes.txt"]
    without = await carry(folder=None)
    assert _reasons(without, "file") == ["the folder of files was not given: --config-dir"] * 3


async def test_files_of_a_flow_that_was_left_out_do_not_stay(
    installation: Installation, carry: Import, container: ApplicationContainer
) -> None:
    """DB-7"""
    ada = installation.user()
    flow = installation.flow(ada, "", data={})
    installation.content(flow, "notes.txt", b"notes")
    assert _reasons(await carry(), "flow") == ["the name of a flow is empty"]
    files = container.settings().values.data_dir / "files"
    assert not [path for path in files.rglob("*") if path.is_file()]


async def test_a_mapping_that_names_nobody(installation: Installation, carry: Import) -> None:
    """DB-7"""
    installation.user("ada")
    with pytest.raises(InvalidInputError, match="there is no user 'bob' here"):
        await carry(users={"ada": "bob"})
    with pytest.raises(InvalidInputError, match="Langflow has no user 'eve'"):
        await carry(users={"eve": "eve"})
