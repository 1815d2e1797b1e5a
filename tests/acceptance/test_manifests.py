"""The manifests for Kubernetes and the compose file are valid, and what they say of Bedplate is so.

Nothing here runs a container: the schemas of Kubernetes are those of ``kubernetes-validate``, and ``compose-spec.json``
is that of the Compose Specification at commit 170098ba (Apache-2.0).
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import kubernetes_validate
import pytest
import yaml

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.containers.requirements import missing
from bedplate.services.settings import SettingsError, SettingsService
from bedplate.wiring.cli.app import run

_EXAMPLES = Path(__file__).parents[2] / "examples"
_FOLDER = _EXAMPLES / "kubernetes"
_KEY = "a-secret-key-of-the-tests-0123456789abcdef"
_FILES = sorted(path.name for path in _FOLDER.glob("*.yaml"))
_OLDEST = "1.30"


def documents(*names: str) -> Iterator[dict[str, Any]]:
    for name in names or _FILES:
        yield from yaml.safe_load_all((_FOLDER / name).read_text(encoding="utf-8"))


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in documents() if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each workload, and its pods' template."""
    for each in documents():
        if "template" in each.get("spec", {}):
            yield each["metadata"]["name"], each["spec"]["template"]


PODS = dict(pods())


@pytest.mark.parametrize("name", _FILES)
@pytest.mark.parametrize("version", [_OLDEST, kubernetes_validate.latest_version()])
def test_manifests_are_valid(name: str, version: str) -> None:
    """SET-3: no unknown field, no wrong type, in the oldest release that is thought of and the newest."""
    for document in documents(name):
        kubernetes_validate.validate(document, version, strict=True)


def _environment(pod: dict[str, Any]) -> dict[str, str]:
    """What the container of a pod is told."""
    (container,) = pod["spec"]["containers"]
    told: dict[str, str] = {}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            told |= one("ConfigMap", source["configMapRef"]["name"])["data"]
        else:
            told |= one("Secret", source["secretRef"]["name"])["stringData"]
    return told | {each["name"]: each["value"] for each in container.get("env", ())}


def _settings(told: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> SettingsService:
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return SettingsService()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", PODS)
def test_settings_of_pods_are_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-1, SET-3: each variable is a setting, and none that the cluster needs is missing."""
    settings = _settings(_environment(PODS[name]) | {"BEDPLATE_SECRET_KEY": _KEY}, monkeypatch)
    assert settings.values.profile == "cluster"
    container = ApplicationContainer(settings=Singleton(lambda: settings))
    assert missing(container._plan(())) == []


def test_a_secret_that_nobody_has_filled_in_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-6: a placeholder never becomes the key of an installation."""
    with pytest.raises(SettingsError) as caught:
        _settings(_environment(PODS["bedplate-api"]), monkeypatch)
    assert [problem.key for problem in caught.value.problems] == ["secret_key"]
    assert "placeholder" in caught.value.problems[0].what


@pytest.mark.parametrize("name", PODS)
def test_pods_may_do_little_and_stop_in_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2: no service links, no privileges, and more time to stop than stopping takes."""
    spec = PODS[name]["spec"]
    (container,) = spec["containers"]
    assert spec["enableServiceLinks"] is False
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    own = container["securityContext"]
    assert (own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"]) == (False, True)
    assert own["capabilities"]["drop"] == ["ALL"]
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"/data", "/tmp"}
    assert "BEDPLATE_DATA_DIR=/data" in (_EXAMPLES / "Dockerfile").read_text()
    if name != "bedplate-migrate":
        server = SettingsService(profile="cluster").values.server
        wait = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        needed = float(wait[1]) + server.drain_delay + server.drain_timeout + server.stop_timeout
        assert spec["terminationGracePeriodSeconds"] > needed


@pytest.mark.parametrize("name", PODS)
def test_pods_run_commands_that_there_are(name: str) -> None:
    (container,) = PODS[name]["spec"]["containers"]
    _check_command(container["args"])


def _check_command(arguments: list[str]) -> None:
    assert run([*arguments, "--help"]) == 0, arguments


async def test_probes_ask_for_routes_that_there_are(client: httpx.AsyncClient) -> None:
    """ALL-1: at the port of the server; liveness never looks at other systems."""
    (container,) = PODS["bedplate-api"]["spec"]["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == SettingsService().values.server.port
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/livez",
        "liveness": "/livez",
        "readiness": "/readyz",
    }
    for probe in probes.values():
        assert (await client.get(probe["path"])).status_code == 200
    assert {probe["port"] for probe in probes.values()} == {port["name"]}


def test_selectors_find_what_they_mean() -> None:
    """Two replicas, one of which stays while nodes are drained."""
    api, worker = one("Deployment", "bedplate-api")["spec"], one("Deployment", "bedplate-worker")["spec"]
    for spec in (api, worker):
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    wanted = one("Service", "bedplate")["spec"]["selector"]
    assert wanted.items() <= api["template"]["metadata"]["labels"].items()
    assert not wanted.items() <= worker["template"]["metadata"]["labels"].items()
    budget = one("PodDisruptionBudget", "bedplate-api")["spec"]
    assert budget["selector"]["matchLabels"] == api["selector"]["matchLabels"]
    assert budget["minAvailable"] < api["replicas"]
    assert int(one("ConfigMap", "bedplate")["data"]["BEDPLATE_SERVER__REPLICAS"]) == api["replicas"]


def test_the_role_is_what_variables_in_secrets_need() -> None:
    """VAR-5"""
    (rule,) = one("Role", "bedplate-variables")["rules"]
    assert rule == {
        "apiGroups": [""],
        "resources": ["secrets"],
        "verbs": ["get", "list", "create", "patch", "delete"],
    }
    (subject,) = one("RoleBinding", "bedplate-variables")["subjects"]
    assert subject["name"] == one("ServiceAccount", "bedplate")["metadata"]["name"]
    for name in ("bedplate-api", "bedplate-worker"):
        assert PODS[name]["spec"]["serviceAccountName"] == subject["name"]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def test_the_compose_file_is_valid(compose: dict[str, Any]) -> None:
    """SET-3"""
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.validate(compose, schema, cls=jsonschema.Draft7Validator)
    services = compose["services"]
    for service in services.values():
        for other, needed in service.get("depends_on", {}).items():
            assert needed["condition"] == "service_healthy"
            assert "healthcheck" in services[other]
    assert compose["services"]["api"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", ["api", "worker"])
def test_settings_of_containers_are_ones(name: str, compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-1, SET-3: with the variables that the head of the file has one make."""
    service = compose["services"][name]
    text = (_EXAMPLES / "compose.yaml").read_text(encoding="utf-8")
    made = set(re.findall(r"(\w+)=\$\(openssl", text))
    assert made == set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    told = {key: re.sub(r"\$\{\w+(:\?[^}]*)?\}", _KEY, value) for key, value in service["environment"].items()}
    settings = _settings(told, monkeypatch)
    container = ApplicationContainer(settings=Singleton(lambda: settings))
    assert missing(container._plan(())) == []
    _check_command(service["command"])
    server = settings.values.server
    assert (
        float(service["stop_grace_period"].rstrip("s"))
        > server.drain_delay + server.drain_timeout + server.stop_timeout
    )


def test_the_image_is_made_of_what_is_there(compose: dict[str, Any]) -> None:
    """The files that are copied, and the versions that are locked."""
    build = compose["services"]["api"]["build"]
    root = (_EXAMPLES / build["context"]).resolve()
    lines = (root / build["dockerfile"]).read_text(encoding="utf-8").splitlines()
    copied = [shlex.split(line)[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    assert copied
    for name in (name for names in copied for name in names):
        assert (root / name).exists(), name
    folders = {link.name for link in (root / "src" / "bedplate").iterdir() if link.is_symlink()}
    assert folders <= {name for names in copied for name in names}
    assert json.loads(next(line for line in lines if line.startswith("ENTRYPOINT")).split(" ", 1)[1]) == ["bedplate"]
