"""Files of settings that cannot be read."""

import os
from pathlib import Path

import pytest

from bedplate.services.settings import SettingsError, SettingsService

as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")


def only_problem() -> str:
    with pytest.raises(SettingsError) as caught:
        SettingsService()
    (problem,) = caught.value.problems
    assert problem.fix
    return str(problem)


def test_toml_error_names_file_line_and_column(folder: Path) -> None:
    """SET-2"""
    (folder / "bedplate.toml").write_text("[server]\nport = 1\nhost = my-password\n")
    text = only_problem()
    assert f"{folder / 'bedplate.toml'}, a file]: is not TOML at line 3, column" in text
    assert "my-password" not in text


def test_toml_that_ends_too_early(folder: Path) -> None:
    """SET-2"""
    (folder / "bedplate.toml").write_text('[server]\nhost = "')
    assert "is not TOML at end of document" in only_problem()


@pytest.mark.parametrize("name", ["bedplate.toml", ".env"])
def test_file_that_is_not_utf8(name: str, folder: Path) -> None:
    """SET-2"""
    (folder / name).write_bytes(b"# fine\n# \xff\xfe\n")
    assert "is not UTF-8 at line 2" in only_problem()


@pytest.mark.parametrize("name", ["bedplate.toml", ".env"])
def test_byte_order_mark_is_no_problem(name: str, folder: Path) -> None:
    """SET-1"""
    text = "[cache]\nttl = 5\n" if name == "bedplate.toml" else "BEDPLATE_CACHE__TTL=5\n"
    (folder / name).write_text("\ufeff" + text)
    assert SettingsService().values.cache.ttl == 5


@pytest.mark.parametrize("name", ["bedplate.toml", ".env"])
def test_folder_in_place_of_a_file(name: str, folder: Path) -> None:
    """SET-2"""
    (folder / name).mkdir()
    assert "no regular file" in only_problem()


@as_root
@pytest.mark.parametrize("name", ["bedplate.toml", ".env"])
def test_unreadable_file(name: str, folder: Path) -> None:
    """SET-2"""
    (folder / name).touch(mode=0)
    assert "cannot be read (Permission denied)" in only_problem()


@pytest.mark.parametrize("name", ["bedplate.toml", ".env"])
def test_file_that_the_system_refuses(name: str, folder: Path) -> None:
    """SET-2"""
    (folder / name).symlink_to(name)
    assert "cannot be read (Too many levels of symbolic links)" in only_problem()


@pytest.mark.parametrize("name", ["bedplate.toml", ".env"])
def test_file_of_absurd_size(name: str, folder: Path) -> None:
    """ALL-6"""
    with (folder / name).open("wb") as file:
        file.truncate(2 * 1024 * 1024)
    assert "is too large" in only_problem()


@pytest.mark.parametrize("name", ["CONFIG_FILE", "ENV_FILE"])
def test_file_that_was_named_must_exist(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2: the file of the default name may be missing, one that somebody named may not."""
    SettingsService()
    monkeypatch.setenv(f"BEDPLATE_{name}", "nowhere")
    assert "does not exist" in only_problem()


def test_lines_of_env_file_that_cannot_be_read(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """SET-2: the rest of the file is still looked at, and nothing is written to the terminal."""
    (folder / ".env").write_text("A=1\nBEDPLATE_CACHE__TTL='unclosed\nB=2\nBEDPLATE_PRT=1\n=\n")
    with pytest.raises(SettingsError) as caught:
        SettingsService()
    found = [problem.what for problem in caught.value.problems]
    assert found == ["cannot be read at line 2", "cannot be read at line 5", "there is no such setting"]
    assert capfd.readouterr() == ("", "")


def test_name_without_a_value_in_env_file(folder: Path) -> None:
    """SET-2"""
    (folder / ".env").write_text("BEDPLATE_CACHE__TTL\n")
    assert "cache.ttl" in only_problem()


def test_secrets_folder_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2"""
    monkeypatch.setenv("BEDPLATE_SECRETS_DIR", "nowhere")
    assert "cannot be listed (No such file or directory)" in only_problem()


def test_secrets_folder_as_kubernetes_mounts_it(folder: Path) -> None:
    """SET-1: links to a dated folder; files of other applications are left alone."""
    dated = folder / "secrets" / "..2026_11_01"
    dated.mkdir(parents=True)
    (dated / "bedplate_database__url").write_text("sqlite+aiosqlite:///x.db\n")
    (dated / "other").write_bytes(b"\xff")
    (folder / "secrets" / "..data").symlink_to(dated.name)
    for name in ("bedplate_database__url", "other"):
        (folder / "secrets" / name).symlink_to(f"..data/{name}")
    settings = SettingsService(secrets_dir=folder / "secrets")
    assert settings.values.database.url is not None
    assert settings.values.database.url.get_secret_value() == "sqlite+aiosqlite:///x.db"


def test_unknown_and_undecodable_secret_files(folder: Path) -> None:
    """SET-2"""
    (folder / "bedplate_secretkey").write_text("x")
    (folder / "BEDPLATE_SECRET_KEY").write_bytes(b"\xff")
    (folder / "bedplate_data_dir").mkdir()
    with pytest.raises(SettingsError) as caught:
        SettingsService(secrets_dir=folder)
    assert sorted(problem.what for problem in caught.value.problems) == [
        "cannot be read",
        "is not UTF-8 at line 1",
        "there is no such setting",
    ]


def test_reading_settings_writes_nothing(folder: Path) -> None:
    """SET-1, ALL-1: no folder is made, no file, no variable."""
    before = dict(os.environ)
    settings = SettingsService(data_dir="new", shared_component_cache={"components_path": ["~/parts"]})
    assert list(folder.iterdir()) == []
    assert dict(os.environ) == before
    assert settings.values.data_dir == folder / "new"
    assert settings.values.shared_component_cache.components_path == (Path.home() / "parts",)
