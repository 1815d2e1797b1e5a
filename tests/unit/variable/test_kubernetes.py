"""Variables in Secrets (VAR-5): where they are, who else changes them, and what the API server may say."""

import asyncio
import base64
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import time_machine
from tests.servers.fake_kubernetes import FakeKubernetes

from bedplate.services.engines.kubernetes import KubernetesEngine
from bedplate.services.errors import BedplateError, ConfigurationError, TooLargeError, UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.variable import (
    VariableExistsError,
    VariableNotFoundError,
    VariableService,
    VariableStoreError,
    VariableStoreFullError,
    VariableStoreSettingError,
    VariableType,
    kubernetes_secrets,
)

MakeVariable = Callable[..., Awaitable[VariableService]]

TOKEN = "a-token-of-tests"
GENERIC = VariableType.GENERIC


@pytest.fixture
def backend() -> str:
    return "kubernetes"


def secret_of(api: FakeKubernetes, user: uuid.UUID) -> dict[str, Any]:
    return api.secrets["apps", f"bedplate-variables-{user}"]


async def value_of(variables: VariableService, user: uuid.UUID, name: str) -> str:
    return (await variables.resolve(user, name)).get_secret_value()


async def test_all_of_a_user_is_in_one_secret(
    make_variable: MakeVariable, kubernetes_api: FakeKubernetes, alice: uuid.UUID
) -> None:
    """VAR-5: named after the user, labelled, with stable ids; nothing readable in it; gone with the last variable."""
    variables = await make_variable(kubernetes_labels={"team": "flows", "example.org/cost-centre": "7"})
    made = await variables.create(alice, "Ключ / key", "the value itself", type=GENERIC)
    second = await variables.create(alice, "second", "another value")
    secret = secret_of(kubernetes_api, alice)
    assert secret["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "bedplate",
        "app.kubernetes.io/component": "variable",
        "app.kubernetes.io/instance": "bedplate",
        "bedplate/user": str(alice),
        "team": "flows",
        "example.org/cost-centre": "7",
    }
    assert set(secret["data"]) == {f"variable.{made.id}", f"variable.{second.id}"}
    assert b"value" not in b"".join(map(base64.b64decode, secret["data"].values())).replace(b'"value":', b"")
    again = await make_variable()
    assert (await again.get(alice, made.id)).name == "Ключ / key"
    assert (await again.update(alice, made.id, name="renamed")).id == made.id
    await again.delete(alice, made.id)
    await again.delete(alice, "second")
    assert [name for _, name in kubernetes_api.secrets] == ["bedplate-variable-keys"]


async def test_what_others_put_on_a_secret_stays(
    variables: VariableService, kubernetes_api: FakeKubernetes, alice: uuid.UUID
) -> None:
    """VAR-5: labels, annotations and entries that are not Bedplate's."""
    await variables.create(alice, "v", "x")
    secret = secret_of(kubernetes_api, alice)
    secret["metadata"]["labels"]["theirs"] = "yes"
    secret["metadata"]["annotations"]["theirs"] = "yes"
    secret["data"]["theirs"] = "eA=="
    await variables.update(alice, "v", value="y")
    secret = secret_of(kubernetes_api, alice)
    assert secret["metadata"]["labels"]["theirs"] == secret["metadata"]["annotations"]["theirs"] == "yes"
    assert secret["data"]["theirs"] == "eA=="


async def test_an_entry_that_somebody_has_broken_hides_no_other(
    variables: VariableService, kubernetes_api: FakeKubernetes, alice: uuid.UUID
) -> None:
    """VAR-5, ALL-3: it is in the log, and changes of others leave it where it is."""
    await variables.create(alice, "whole", "fine")
    broken = {f"variable.{uuid.uuid4()}": b"{", "variable.x": b"{}", f"earlier.{'-' * 36}.1": b"{}"}
    secret_of(kubernetes_api, alice)["data"] |= {key: base64.b64encode(raw).decode() for key, raw in broken.items()}
    assert [one.name for one in await variables.list(alice)] == ["whole"]
    await variables.update(alice, "whole", value="changed")
    assert broken.keys() <= secret_of(kubernetes_api, alice)["data"].keys()


async def test_processes_that_change_one_secret_at_once_lose_nothing(
    make_variable: MakeVariable, kubernetes_api: FakeKubernetes, alice: uuid.UUID
) -> None:
    """VAR-5: each change is made again of what the other has made of the Secret."""
    one, other = await make_variable(), await make_variable()
    await asyncio.gather(
        *(one.create(alice, f"one{number}", "x") for number in range(15)),
        *(other.create(alice, f"other{number}", "x") for number in range(15)),
    )
    assert len(await one.list(alice)) == 30
    await asyncio.gather(
        *(one.update(alice, f"one{number}", value="y") for number in range(15)),
        *(other.delete(alice, f"other{number}") for number in range(15)),
    )
    assert [one.version for one in await other.list(alice)] == [2] * 15
    writes = [verb for verb in kubernetes_api.calls if verb in {"create", "patch", "delete"}]
    assert len(writes) > 61, "nothing was in the way of anything: the test shows nothing"


async def test_a_lost_answer_is_no_second_change(
    variables: VariableService, kubernetes_api: FakeKubernetes, alice: uuid.UUID
) -> None:
    """VAR-5: the connection breaks after the change was made: it is found made, not made again, and no error."""
    kubernetes_api.lose_answers = 1
    made = await variables.create(alice, "first", "1", type=GENERIC)  # makes the Secret
    kubernetes_api.lose_answers = 1
    await variables.create(alice, "second", "x")
    kubernetes_api.lose_answers = 1
    assert (await variables.update(alice, "first", value="2", expected_version=1)).version == 2
    kubernetes_api.lose_answers = 1
    assert (await variables.update(alice, "first", name="renamed", expected_version=2)).version == 3
    assert [(one.version, one.value) for one in await variables.history.list(alice, made.id)] == [(3, "2"), (1, "1")]
    kubernetes_api.lose_answers = 1
    await variables.delete(alice, "second")
    kubernetes_api.lose_answers = 1
    await variables.delete(alice, "renamed")  # with it, the Secret
    assert kubernetes_api.lose_answers == 0
    assert await variables.list(alice) == []


async def test_ids_and_names_that_are_taken(variables: VariableService, alice: uuid.UUID) -> None:
    """VAR-5: an import that is repeated finds what is there."""
    made = await variables.create(alice, "v", "x")
    with pytest.raises(VariableExistsError):
        await variables.create(alice, "w", "x", id=made.id)
    with pytest.raises(VariableExistsError):
        await variables.create(alice, "v", "x")


async def test_a_secret_that_is_full(make_variable: MakeVariable, alice: uuid.UUID, bob: uuid.UUID) -> None:
    """VAR-5: earlier values give way, the oldest first; then a typed error, and all that was there is there."""
    variables = await make_variable(max_value_bytes=500_000, max_versions=50)
    await variables.create(alice, "large", "1" * 300_000)
    for digit in "234":
        await variables.update(alice, "large", value=digit * 300_000)
    assert [one.version for one in await variables.history.list(alice, "large")] == [4, 3]
    await variables.create(alice, "second", "x" * 300_000)
    assert [one.version for one in await variables.history.list(alice, "large")] == [4]
    with pytest.raises(VariableStoreFullError, match="a Secret holds at most 1048576") as caught:
        await variables.create(alice, "third", "x" * 300_000)
    assert isinstance(caught.value, TooLargeError)
    with pytest.raises(VariableStoreFullError):
        await variables.update(alice, "second", value="y" * 490_000)
    assert [one.name for one in await variables.list(alice)] == ["large", "second"]
    assert await value_of(variables, alice, "second") == "x" * 300_000
    await variables.create(bob, "v", "x")


async def test_earlier_values_are_deleted_when_they_are_old(
    make_variable: MakeVariable, kubernetes_api: FakeKubernetes, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """VAR-4, VAR-5: of all users, so many at a time, without reading the Secrets that have none."""
    variables = await make_variable(version_retention=3600)
    with time_machine.travel("2026-01-01", tick=True):
        for user in (alice, bob):
            for value in "123":
                await (variables.update if value > "1" else variables.create)(user, "v", value=value)
    await variables.update(bob, "v", value="4")
    assert await variables.delete_old(limit=3) == 3
    assert await variables.delete_old(limit=3) == 2
    kubernetes_api.calls.clear()
    assert await variables.delete_old() == 0
    assert kubernetes_api.calls == ["list"]
    for user in (alice, bob):
        assert [one.current for one in await variables.history.list(user, "v")] == [True]


async def test_what_is_asked_of_all_users_comes_in_pages(
    make_variable: MakeVariable, kubernetes_api: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VAR-5: a list that the server forgets meanwhile is begun anew, and nobody is seen twice or missed."""
    monkeypatch.setattr(kubernetes_secrets, "_PAGE", 2)
    variables = await make_variable()
    users = sorted(uuid.uuid4() for _ in range(7))
    for user in users:
        await variables.create(user, "v", "x")
    kubernetes_api.calls.clear()
    assert await variables.owners() == users
    assert kubernetes_api.calls == ["list"] * 4
    assert await variables.owners(users[2], limit=3) == users[3:6]
    seen = []
    async for noted in variables._backend._vaults.all():
        seen.append(noted.user_id)
        if len(seen) == 3:
            kubernetes_api.expire_lists()
    assert seen == users
    assert (await variables.rotate()).resealed == 7


async def test_health_checks_do_not_look_at_every_user(
    variables: VariableService, kubernetes_api: FakeKubernetes, alice: uuid.UUID
) -> None:
    """VAR-5, ALL-6: probes come every few seconds, on every replica."""
    await variables.create(alice, "v", "x")
    kubernetes_api.calls.clear()
    for _ in range(3):
        assert (await variables.health()).status is HealthStatus.UP
    assert kubernetes_api.calls == ["get"] * 3


async def test_an_index_that_somebody_has_taken_away(
    variables: VariableService, kubernetes_api: FakeKubernetes, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """VAR-2, VAR-5: annotations save time; what they said is found without them."""
    for user in (alice, bob):
        await variables.create(user, "v", "x")
    secret_of(kubernetes_api, alice)["metadata"]["annotations"] = {}
    secret_of(kubernetes_api, bob)["metadata"]["annotations"]["bedplate/keys"] = "{"
    done = await variables.rotate()
    assert (done.resealed, done.left) == (2, 0)


async def test_all_variables_of_a_user_are_deleted(
    variables: VariableService, kubernetes_api: FakeKubernetes, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """VAR-5: as when the user is."""
    for user in (alice, bob):
        await variables.create(user, "v", "x")
    assert await variables.delete_owner(alice)
    assert not await variables.delete_owner(alice)
    assert await variables.owners() == [bob]
    with pytest.raises(VariableNotFoundError):
        await variables.get(alice, "v")


@pytest.mark.parametrize(
    ("given", "prepare", "texts"),
    [
        ({}, lambda api: api.tokens.clear(), ["token is not valid", "401", "KUBERNETES_ACCOUNT_DIR"]),
        ({}, lambda api: api.forbidden.add("list"), ["may not use Secrets in the namespace 'apps'", "bind a Role"]),
        ({}, lambda api: api.forbidden.add("get"), ["may not use Secrets", "403 Forbidden", "KUBERNETES_NAMESPACE"]),
        ({}, lambda api: api.forbidden.add("create"), ["may not use Secrets", "examples/kubernetes"]),
        ({"kubernetes_namespace": "nowhere"}, None, ["no namespace 'nowhere'", "KUBERNETES_NAMESPACE"]),
        ({"kubernetes_context": "another"}, None, ["no account of Kubernetes", "another", "KUBERNETES_CONTEXT"]),
        ({"kubernetes_kubeconfig": "/nowhere/config"}, None, ["no account of Kubernetes", "KUBERNETES_KUBECONFIG"]),
        ({}, lambda api: api.kubeconfig(token="one\nand another"), ["the token is not one", "KUBERNETES_KUBECONFIG"]),
        ({}, lambda api: api.kubeconfig().write_text("a: ["), ["not YAML", "KUBERNETES_KUBECONFIG"]),
        ({}, lambda api: api.kubeconfig().write_text("{}"), ["no account of Kubernetes", "KUBERNETES_KUBECONFIG"]),
        ({}, lambda api: setattr(api, "refuse", (404, 9)), ["no API of Kubernetes"]),
        ({}, lambda api: setattr(api, "refuse", (400, 9)), ["no API of Kubernetes", "https://"]),
    ],
)
async def test_what_is_wrong_is_named_at_start(
    make_variable: MakeVariable,
    kubernetes_api: FakeKubernetes,
    given: dict[str, Any],
    prepare: Callable[[FakeKubernetes], object] | None,
    texts: list[str],
) -> None:
    """VAR-5, ALL-3: by setting and fix, and without the token."""
    kubernetes_api.kubeconfig()
    with pytest.raises(VariableStoreSettingError) as caught:
        await make_variable(**given, before=prepare and (lambda: prepare(kubernetes_api)))
    assert isinstance(caught.value, ConfigurationError)
    for text in texts:
        assert text in str(caught.value)
    assert TOKEN not in str(caught.value)


class TestAccount:
    """In a cluster: the account of the pod, over TLS."""

    @pytest.fixture
    async def kubernetes_api(self, tmp_path: Path) -> Any:
        async with FakeKubernetes(tmp_path / "kubernetes", tls=True) as api:
            yield api

    @pytest.fixture
    def account(self, kubernetes_api: FakeKubernetes, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        folder, environment = kubernetes_api.account()
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return {"kubernetes_kubeconfig": None, "kubernetes_account_dir": folder}

    async def test_the_account_and_the_namespace_of_the_pod(
        self, make_variable: MakeVariable, kubernetes_api: FakeKubernetes, account: dict[str, Any], alice: uuid.UUID
    ) -> None:
        """VAR-5: without any setting but the backend; a setting names another namespace."""
        variables = await make_variable(**account)
        await variables.create(alice, "v", "x")
        assert ("apps", f"bedplate-variables-{alice}") in kubernetes_api.secrets
        other = await make_variable(**account, kubernetes_namespace="default", kubernetes_prefix="blue")
        await other.create(alice, "v", "y")
        assert ("default", f"blue-variables-{alice}") in kubernetes_api.secrets
        assert await value_of(variables, alice, "v") == "x"

    async def test_a_token_that_expires_is_read_anew(
        self, make_variable: MakeVariable, kubernetes_api: FakeKubernetes, account: dict[str, Any], alice: uuid.UUID
    ) -> None:
        """VAR-5: the kubelet has put a new one there; once for all calls that were refused."""
        variables = await make_variable(**account)
        await variables.create(alice, "v", "x")
        kubernetes_api.account(token="the-next-token")
        kubernetes_api.tokens = {"the-next-token"}
        assert await asyncio.gather(*(value_of(variables, alice, "v") for _ in range(10))) == ["x"] * 10
        kubernetes_api.tokens = {"one-that-is-nowhere"}
        with pytest.raises(VariableStoreSettingError, match="read anew"):
            await variables.get(alice, "v")
        assert (await variables.health()).status is HealthStatus.DOWN
        kubernetes_api.account(token="one-that-is-nowhere")
        assert (await variables.health()).status is HealthStatus.UP

    async def test_a_kubeconfig_over_tls(
        self, make_variable: MakeVariable, kubernetes_api: FakeKubernetes, alice: uuid.UUID
    ) -> None:
        """VAR-5: the token of the user is read anew there too."""
        variables = await make_variable()
        await variables.create(alice, "v", "x")
        kubernetes_api.tokens = {"after-a-login"}
        kubernetes_api.kubeconfig(token="after-a-login")
        assert await value_of(variables, alice, "v") == "x"

    @pytest.mark.parametrize("name", ["token", "ca.crt", "namespace"])
    async def test_an_account_that_is_not_whole(
        self, make_variable: MakeVariable, account: dict[str, Any], name: str
    ) -> None:
        """VAR-5, ALL-3"""
        (account["kubernetes_account_dir"] / name).unlink()
        with pytest.raises(VariableStoreSettingError, match=r"KUBERNETES_(ACCOUNT_DIR|NAMESPACE)"):
            await make_variable(**account)

    async def test_a_certificate_that_nobody_here_knows(
        self, make_variable: MakeVariable, kubernetes_api: FakeKubernetes
    ) -> None:
        """VAR-5, ALL-3"""
        with pytest.raises(VariableStoreSettingError, match=r"not one to trust.*certificate-authority"):
            await make_variable(before=lambda: kubernetes_api.kubeconfig(ca=False))

    async def test_plain_http_where_tls_is_spoken(
        self, make_variable: MakeVariable, kubernetes_api: FakeKubernetes
    ) -> None:
        """VAR-5, ALL-3"""

        def plain() -> None:
            path = kubernetes_api.kubeconfig()
            path.write_text(path.read_text().replace("https://", "http://"))

        with pytest.raises(BedplateError, match="KUBECONFIG"):
            await make_variable(before=plain)


async def test_the_api_stops_and_starts_again(
    make_variable: MakeVariable, kubernetes_api: FakeKubernetes, alice: uuid.UUID
) -> None:
    """VAR-5: meanwhile one clear error, and nothing that was acknowledged is lost; afterwards all works by itself."""
    variables = await make_variable(kubernetes_retries=1)
    await variables.create(alice, "v", "0")
    stopped, done, changes = asyncio.Event(), asyncio.Event(), asyncio.Semaphore(0)
    acknowledged: set[str] = set()
    refused: list[UnavailableError] = []

    async def change(worker: int) -> None:
        number = 0
        while not done.is_set():
            try:
                await variables.create(alice, f"v{worker}-{number}", "x")
            except UnavailableError as error:
                refused.append(error)
                stopped.set()
            else:
                acknowledged.add(f"v{worker}-{number}")
                changes.release()
            number += 1

    workers = [asyncio.create_task(change(worker)) for worker in range(4)]
    for _ in range(20):
        await changes.acquire()
    await kubernetes_api.stop()
    await stopped.wait()
    health = await variables.health()
    assert health.status is HealthStatus.DOWN
    assert "cannot be reached" in str(health.reason)
    await kubernetes_api.start()
    for _ in range(40):  # half of them may be from before the stop
        await changes.acquire()
    done.set()
    await asyncio.gather(*workers)
    assert {one.name for one in await variables.list(alice)} >= acknowledged
    assert {type(error) for error in refused} == {VariableStoreError}
    assert {error.retry_after for error in refused} == {5.0}
    assert (await variables.health()).status is HealthStatus.UP


@pytest.mark.parametrize(("status", "retry_after"), [(429, 7.0), (500, 5.0), (503, 5.0)])
async def test_an_api_that_is_busy(
    make_variable: MakeVariable, kubernetes_api: FakeKubernetes, alice: uuid.UUID, status: int, retry_after: float
) -> None:
    """VAR-5: it is asked again, and again later if it says so."""
    variables = await make_variable(kubernetes_retries=1)
    await variables.create(alice, "v", "x")
    kubernetes_api.refuse = (status, 1)
    assert await value_of(variables, alice, "v") == "x"
    kubernetes_api.refuse = (status, 2)
    with pytest.raises(VariableStoreError, match="busy") as caught:
        await variables.get(alice, "v")
    assert caught.value.retry_after == retry_after


async def test_an_api_that_does_not_answer_in_time(
    make_variable: MakeVariable, kubernetes_api: FakeKubernetes, alice: uuid.UUID
) -> None:
    """VAR-5, ALL-6: a call takes no longer than it may."""
    variables = await make_variable(kubernetes_timeout=0.5)
    kubernetes_api.hang.clear()
    with pytest.raises(VariableStoreError, match="did not answer in time"):
        await variables.get(alice, "v")
    kubernetes_api.hang.set()


async def test_the_clients_are_started_before_they_are_asked_for() -> None:
    """ALL-1"""
    from bedplate.services.engines.kubernetes_config import KubernetesAddress

    engine = KubernetesEngine()
    with pytest.raises(UnavailableError, match="not started"):
        await engine.client(KubernetesAddress())


@pytest.mark.parametrize(
    "values",
    [
        {"kubernetes_prefix": "Bedplate"},
        {"kubernetes_prefix": ""},
        {"kubernetes_namespace": "Apps"},
        {"kubernetes_namespace": "x" * 64},
        {"kubernetes_labels": {"team": "no spaces"}},
        {"kubernetes_labels": {"/team": "x"}},
        {"kubernetes_timeout": 0},
    ],
)
async def test_names_that_kubernetes_would_refuse(make_variable: MakeVariable, values: dict[str, Any]) -> None:
    """VAR-5, SET-1"""
    with pytest.raises(ConfigurationError, match="kubernetes_"):
        await make_variable(**values)
