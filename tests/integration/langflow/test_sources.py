"""DB-7: what is no database of Langflow is refused by name, without its password, and with nothing written."""

import builtins
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.langflow.installation import Installation

from bedplate.services.errors import MissingExtraError
from bedplate.wiring.langflow import LangflowSource, LangflowSourceError


async def _open(url: str) -> None:
    async with LangflowSource.open(url) as source:
        assert source.tables


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("{folder}/nothing.db", "there is no file"),
        ("sqlite:///{folder}/nothing.db", "there is no file"),
        ("sqlite://", "there is no file"),
        ("{folder}", "there is no file"),
        ("mysql://root:hidden@localhost/langflow", "of the kind 'mysql' cannot be read"),
        ("postgresql://lang:hid@den@/[::1]]/x", "cannot be read"),
        ("{folder}/text.db", "cannot be read"),
        ("{folder}/empty.db", "its table 'user' has no id, password, username"),
    ],
)
async def test_what_is_no_source(url: str, says: str, tmp_path: Path) -> None:
    """DB-7"""
    (tmp_path / "text.db").write_text("this is no database, but long enough to be taken for one" * 20)
    (tmp_path / "empty.db").write_bytes(b"")
    with pytest.raises(LangflowSourceError, match=re.escape(says)) as caught:
        await _open(url.format(folder=tmp_path))
    assert "hid" not in str(caught.value)
    assert caught.value.fix
    assert not (tmp_path / "nothing.db").exists()


async def test_a_wrong_password_or_port_of_postgres(postgres_url: str) -> None:
    """DB-7"""
    for wrong in (re.sub(r":[^:@/]+@", ":not-the-password@", postgres_url), "postgresql://a:hidden@127.0.0.1:1/x"):
        with pytest.raises(LangflowSourceError) as caught:
            await _open(wrong)
        assert "not-the-password" not in str(caught.value)
        assert "hidden" not in str(caught.value)


async def test_postgres_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """DB-7"""
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "psycopg":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'bedplate[postgres]'")):
        await _open("postgresql://localhost/langflow")


@pytest.mark.parametrize("installation", ["sqlite", "postgres"], indirect=True)
async def test_a_source_is_read_as_of_one_moment_and_never_written(installation: Installation) -> None:
    """DB-7"""
    for number in range(5):
        installation.user(f"user {number}")
    async with LangflowSource.open(installation.url) as source:
        assert await source.count("user") == 5
        if installation.url.startswith("postgresql"):
            installation.user("late")  # SQLite would have to wait for the reader to see it written
        assert len([row async for row in source.rows("user")]) == 5
        assert [row async for row in source.rows("no such table")] == []
        with pytest.raises(LangflowSourceError):
            async with LangflowSource.open(installation.url) as other:
                await other._connection.exec_driver_sql('DELETE FROM "user"')


def test_the_command(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """DB-7: as an operator types it."""
    from bedplate.wiring.cli.app import run

    ada = installation.user()
    installation.variable(ada, "SECRET", "sk-canary-of-the-import")
    (installation.folder / "secret_key").write_text(installation.secret_key)
    monkeypatch.setenv("BEDPLATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    database = str(installation.folder / "langflow.db")
    call: Callable[..., tuple[int, str]] = lambda *args: (run(["import", "langflow", database, *args]), _text(capsys))  # noqa: E731
    code, text = call("--config-dir", str(installation.folder), "--dry-run")
    assert code == 0, text
    assert "nothing was stored" in text
    code, text = call("--config-dir", str(installation.folder), "--format", "json")
    assert code == 0, text
    assert '"carried over": 1' in text
    code, text = call("--config-dir", str(installation.folder))
    assert code == 0, text
    assert re.search(r"variable +0 +0 +1 +0", text)
    assert "sk-canary" not in text
    code, text = call("--map-user", "nonsense")
    assert code == 1
    assert "--map-user there=here" in text
    code, text = call("--secret-key-file", str(tmp_path / "nothing"))
    assert code == 1
    assert "cannot be read" in text
    assert run(["variables", "list", "--user", "ada"]) == 0
    assert "SECRET" in _text(capsys)


def _text(capsys: pytest.CaptureFixture[str]) -> str:
    return "".join(capsys.readouterr())
