"""Each check finds what it is there for, and is content with the defaults (SET-8)."""

import os
import shutil
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.containers.doctor import checks_of
from bedplate.services.checks import Finding, Severity, is_public
from bedplate.services.engines import keyring_checks
from bedplate.services.settings import SettingsService

Examine = Callable[..., Awaitable[list[Finding]]]

PUBLIC = {"server": {"host": "0.0.0.0"}, "auth": {"password_min_length": 8}}
KEY = "a-secret-key-of-tests-0123456789abcdef"

FOUND: Mapping[str, tuple[Severity, Mapping[str, Any]]] = {
    "auth.cookie-not-secure": (Severity.ERROR, {"auth": {"cookie_secure": False}}),
    "auth.auto-login": (Severity.ERROR, {"auth": {"auto_login": True}}),
    "auth.keys-of-one-machine": (Severity.WARNING, {"auth": {"algorithm": "EdDSA"}, "server": {"replicas": 2}}),
    "auth.logins-not-throttled": (Severity.WARNING, {"auth": {"login_failures_per_account": 0}}),
    "auth.weak-passwords": (Severity.WARNING, {"auth": {"password_min_length": 7}}),
    "auth.weak-hashing": (Severity.WARNING, {"auth": {"argon2_time_cost": 1}}),
    "auth.guessable-superuser": (Severity.ERROR, {"auth": {"superuser": "ada", "superuser_password": "Ada"}}),
    "auth.open-sign-up": (Severity.WARNING, {"auth": {"sign_up": "open"}}),
    "telemetry.token-in-clear": (Severity.WARNING, {"telemetry": {"scrape_token": "x" * 32}}),
    "telemetry.short-token": (Severity.ERROR, {"telemetry": {"scrape_token": "x" * 15}}),
    "telemetry.report-behind-proxy": (Severity.WARNING, {"server": {"services_report_loopback": True}}),
    "telemetry.debug-log": (Severity.WARNING, {"telemetry": {"log_level": "debug"}}),
    "variable.operator-variable-unset": (Severity.WARNING, {"variable": {"operator_variables": ["NOWHERE_SET"]}}),
    "task.long-drain": (Severity.WARNING, {"task": {"drain_timeout": 20.0}}),
    "task.short-lease": (Severity.WARNING, {"task": {"lease_ttl": 1.0}}),
    "task.executes-nothing": (Severity.NOTE, {"task": {"execute": False}}),
    "database.in-memory": (Severity.WARNING, {"database": {"url": "sqlite://"}}),
    "server.wildcard-origin": (Severity.WARNING, {"server": {"cors_origins": ["*"]}}),
    "server.insecure-origin": (
        Severity.WARNING,
        {"server": {"cors_origins": ["http://app.example.org"], "cors_allow_credentials": True}},
    ),
    "settings.contradiction": (Severity.WARNING, {"auth": {"refresh_token_ttl": 60}}),
    "settings.retention-off": (Severity.WARNING, {"tracing": {"retention": 0}}),
    "server.replicas": (Severity.ERROR, {"server": {"replicas": 2}, "secret_key": KEY}),
    "store.remote-in-clear": (
        Severity.WARNING,
        {"store": {"backend": "remote", "remote_url": "http://store.example"}},
    ),
    "store.unused-remote": (Severity.WARNING, {"store": {"remote_url": "https://store.example"}}),
    "socket.polling-needs-affinity": (Severity.WARNING, {"server": {"replicas": 2}, "secret_key": KEY}),
    "keyring.own-key-per-replica": (Severity.ERROR, {"server": {"replicas": 2}}),
}


def merged(settings: Mapping[str, Any]) -> dict[str, Any]:
    groups = {name: PUBLIC.get(name, {}) | value for name, value in settings.items() if isinstance(value, Mapping)}
    return PUBLIC | dict(settings) | groups


@pytest.mark.parametrize("check", FOUND)
async def test_settings_that_go_wrong_are_found(check: str, examine: Examine) -> None:
    """SET-8: on a public host, each with a fix; without the setting there is nothing to find."""
    severity, settings = FOUND[check]
    assert check not in {one.check for one in await examine(**PUBLIC)}
    found = [one for one in await examine(**merged(settings)) if one.check == check]
    assert found
    assert found[0].severity is severity
    assert all(one.fix and one.what for one in found)
    assert not [one for one in found if "could not be checked" in one.what]


@pytest.mark.parametrize("profile", ["embedded", "test"])
async def test_defaults_are_content(examine: Examine, profile: str) -> None:
    """SET-8: who changes nothing is told nothing."""
    assert await examine(profile=profile) == []


async def test_the_cluster_profile_is_told_what_is_missing(examine: Examine) -> None:
    """SET-8"""
    found = await examine(profile="cluster")
    assert "keyring.own-key-per-replica" in {one.check for one in found}
    assert "server.replicas" not in {one.check for one in found}, "the profile shares all that replicas must"
    assert "socket.polling-needs-affinity" not in {one.check for one in found}, "nor does it let clients poll"
    for name in ("SECRET_KEY", "DATABASE__URL", "REDIS__URL", "STORAGE__S3_BUCKET"):
        assert any(f"BEDPLATE_{name}" in one.what + one.fix for one in found), name
    assert [one.severity for one in found] == sorted((one.severity for one in found), key=list(Severity).index)


async def test_a_server_of_this_machine_alone_may_be_lax(examine: Examine) -> None:
    """SET-8: what is dangerous in reach of other machines is none of our business on this one."""
    found = await examine(auth={"cookie_secure": False, "sign_up": "open", "auto_login": True})
    assert [(one.check, one.severity) for one in found] == [("auth.auto-login", Severity.WARNING)]


@pytest.mark.parametrize(
    ("host", "public"),
    [("127.0.0.1", False), ("127.1.2.3", False), ("::1", False), ("localhost", False), ("0.0.0.0", True),
     ("::", True), ("10.0.0.1", True), ("", True), ("bedplate.example.org", True)],
)  # fmt: skip
def test_which_hosts_are_public(host: str, public: bool) -> None:
    """SET-8"""
    assert is_public(host) is public


async def test_variables_of_langflow_without_effect_are_named(
    examine: Examine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SET-7, SET-8: those with a counterpart are not among them, the unknown ones come with a guess."""
    monkeypatch.setenv("LANGFLOW_PORT", "7861")
    monkeypatch.setenv("LANGFLOW_WORKERS", "4")
    monkeypatch.setenv("LANGFLOW_DATA_DIRR", "x")
    (folder / ".env").write_text("LANGFLOW_OPEN_BROWSER=true\n")
    found = {one.what.split()[0]: one for one in await examine()}
    assert set(found) == {"LANGFLOW_WORKERS", "LANGFLOW_DATA_DIRR", "LANGFLOW_OPEN_BROWSER"}
    assert found["LANGFLOW_WORKERS"].severity is Severity.NOTE
    assert "BEDPLATE_SERVER__REPLICAS" in found["LANGFLOW_WORKERS"].what
    assert found["LANGFLOW_DATA_DIRR"].severity is Severity.WARNING
    assert "BEDPLATE_DATA_DIR" in found["LANGFLOW_DATA_DIRR"].fix


async def test_readable_files_of_secrets_are_found(examine: Examine, folder: Path) -> None:
    """SET-8: a .env with a secret in it, readable by others; one without a secret may be read by anyone."""
    path = folder / ".env"
    path.write_text("BEDPLATE_SERVER__PORT=1\n")
    path.chmod(0o644)
    assert await examine() == []
    path.write_text(f"BEDPLATE_SECRET_KEY={KEY}\n")
    (found,) = await examine()
    assert found.check == "settings.readable-secrets"
    assert "secret_key" in found.what
    assert KEY not in str(found)
    path.chmod(0o600)
    assert await examine() == []


async def test_stopping_takes_longer_than_kubernetes_waits(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-8"""
    settings = {"server": {"stop_timeout": 28.0}}
    assert await examine(**settings) == []
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    (found,) = await examine(**settings)
    assert found.check == "server.stop-timeout"


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
async def test_the_data_directory_and_the_secret_key_are_the_owners_alone(examine: Examine, folder: Path) -> None:
    """SET-8, SET-6"""
    data = folder / "data"
    data.mkdir(mode=0o700)
    (data / "secret_key").write_text(f"{KEY}\n")
    (data / "secret_key").chmod(0o600)
    assert await examine() == []
    (data / "secret_key").chmod(0o640)
    data.chmod(0o755)
    found = {one.check: one.severity for one in await examine()}
    assert found == {"keyring.secret-key-file": Severity.ERROR, "data-dir.shared": Severity.WARNING}
    data.chmod(0o770)
    (data / "secret_key").chmod(0o600)
    assert {one.check: one.severity for one in await examine()} == {"data-dir.shared": Severity.ERROR}


async def test_a_data_directory_that_cannot_be_made_is_found(examine: Examine, folder: Path) -> None:
    """SET-8"""
    (folder / "file").write_text("")
    assert "data-dir.unwritable" in {one.check for one in await examine(data_dir=folder / "file" / "data")}


async def test_a_full_disk_is_found(examine: Examine) -> None:
    """SET-8"""
    assert [one.check for one in await examine(storage={"low_space_bytes": 1 << 60})] == ["data-dir.low-space"]


async def test_a_network_file_system_is_found(
    examine: Examine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SET-8: the mount that is nearest to the data directory counts."""
    mounts = tmp_path / "mounts"
    home = tmp_path / "with space"
    (home / "local").mkdir(parents=True)
    escaped = str(home).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {escaped} nfs4 rw 0 0\n/dev/sdb {escaped}/local xfs rw 0 0\n")
    assert keyring_checks.file_system_of(home / "data", mounts) == "nfs4"
    assert keyring_checks.file_system_of(home / "local" / "data", mounts) == "xfs"
    assert keyring_checks.file_system_of(Path("/etc"), mounts) == "ext4"
    assert keyring_checks.file_system_of(home, tmp_path / "none") is None
    monkeypatch.setattr(keyring_checks, "_MOUNTS", mounts)
    assert [one.check for one in await examine(data_dir=home / "data")] == ["data-dir.network-file-system"]
    assert await examine(data_dir=home / "local" / "data") == []


async def test_the_state_of_the_schema_is_told(examine: Examine, migrated_database: Path, folder: Path) -> None:
    """SET-8: behind (migrated at start or not), ahead, no database; looking changes nothing."""
    url = f"sqlite+aiosqlite:///{folder / 'copy.db'}"
    assert await examine(database={"url": url}) == []
    assert not (folder / "copy.db").exists()
    shutil.copyfile(migrated_database, folder / "copy.db")
    assert await examine(database={"url": url}) == []

    def at(revision: str) -> None:
        engine = sa.create_engine(f"sqlite:///{folder / 'copy.db'}")
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE bedplate_alembic_version SET version_num = :r"), {"r": revision})
        engine.dispose()

    at("0003")
    for migrate, severity in ((True, Severity.NOTE), (False, Severity.ERROR)):
        (found,) = await examine(database={"url": url, "migrate": migrate})
        assert (found.check, found.severity) == ("database.schema", severity)
        assert "0003" in found.what
    at("9999")
    (found,) = await examine(database={"url": url})
    assert found.severity is Severity.ERROR
    assert "newer" in found.what
    (folder / "copy.db").write_bytes(b"this is not a database, whatever its name says" * 30)
    (found,) = await examine(database={"url": url})
    assert (found.check, found.severity) == ("database.schema", Severity.ERROR)


async def test_a_clock_behind_the_rows_is_found(container: ApplicationContainer) -> None:
    """SET-8: the newest row that was made here tells."""
    assert container.report.findings == []
    async with container.database().transaction() as session:
        later = uuid.UUID(int=(int((time.time() + 3600) * 1000) << 80) | (7 << 76) | (2 << 62))
        await (await session.connection()).execute(
            sa.text("INSERT INTO bedplate_instance (id, started_at, lease_expires_at) VALUES (:id, :now, :now)"),
            {"id": later.hex, "now": "2026-01-01 00:00:00.000000"},
        )
    (found,) = await container.examine()
    assert (found.check, found.severity) == ("database.clock", Severity.ERROR)
    assert "3600 s" in found.what or "3599 s" in found.what


def test_there_are_at_least_fifteen_and_each_is_tested() -> None:
    """SET-8: ids are unique, and every one is the subject of a test of this file."""
    container = ApplicationContainer(settings=Singleton(SettingsService))
    ids = [one.id for name in ("settings", "keyring", "telemetry", "database", "auth", "variable")
           for one in checks_of(getattr(container, name)())]  # fmt: skip
    assert len(ids) == len(set(ids))
    assert len(ids) >= 15
    text = Path(__file__).read_text(encoding="utf-8")
    assert [one for one in ids if f'"{one}"' not in text and one != "settings.langflow-variable"] == []


async def test_the_key_of_a_collector_does_not_travel_in_clear(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SET-8, TEL-2: to a collector on this machine it may."""
    check = "telemetry.key-in-clear"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a-key-of-the-collector")
    for endpoint, found in (
        ("http://127.0.0.1:4318", []),
        ("https://collector.example:4318", []),
        ("http://collector.example:4318", ["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    ):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        findings = [one for one in await examine(telemetry={"backend": "otlp"}) if one.check == check]
        assert [one.fix.rpartition(" ")[2] for one in findings] == found
        assert "a-key-of-the-collector" not in str(findings)
