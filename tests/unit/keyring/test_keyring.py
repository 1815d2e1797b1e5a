"""The secret key and what is derived from it."""

import asyncio
import contextlib
import errno
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.secret_key import SecretKeyError, SecretKeyFile
from bedplate.services.errors import ConfigurationError, UnavailableError
from bedplate.services.settings import SettingsService

GIVEN = "k3Zr-8Qw1-given-by-the-operator-0987654321"


@contextlib.asynccontextmanager
async def started(**overrides: Any) -> Any:
    keyring = Keyring(SettingsService(**overrides))
    await keyring.start()
    yield keyring
    await keyring.stop()


def refused(folder: Path) -> SecretKeyError:
    with pytest.raises(SecretKeyError) as caught:
        SecretKeyFile(folder).read_or_make()
    error = caught.value
    assert isinstance(error, ConfigurationError)
    assert (error.code, error.service) == ("secret_key", "keyring")
    assert str(folder / "secret_key") in error.what
    assert error.fix
    return error


async def test_key_is_made_once_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """SET-6: generated at start, not before, into a 0600 file in a folder of its own; found again at the next start."""
    folder = tmp_path / "new" / "data"
    Keyring(SettingsService(data_dir=folder))
    assert not folder.exists()
    with caplog.at_level(logging.INFO, "bedplate"):
        async with started(data_dir=folder) as keyring:
            first, identity = keyring.derive("tokens"), keyring.key_id
            assert keyring.origin == f"file {folder / 'secret_key'}"
    content = (folder / "secret_key").read_text()
    assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["secret_key"]
    assert "made a secret key" in caplog.text
    assert content.strip() not in caplog.text
    async with started(data_dir=folder) as keyring:
        assert (keyring.derive("tokens"), keyring.key_id) == (first, identity)
    assert (folder / "secret_key").read_text() == content


async def test_two_installations_have_different_keys(tmp_path: Path) -> None:
    """SET-6"""
    async with started(data_dir=tmp_path / "a") as one, started(data_dir=tmp_path / "b") as other:
        assert one.derive("tokens") != other.derive("tokens")
        assert one.key_id != other.key_id


async def test_given_key_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    """SET-6"""
    (tmp_path / "secret_key").write_text("not looked at")
    async with started(data_dir=tmp_path, secret_key=GIVEN) as keyring:
        assert keyring.origin == "argument secret_key"
        key = keyring.derive("tokens")
    assert (tmp_path / "secret_key").read_text() == "not looked at"
    async with started(data_dir=tmp_path / "other", secret_key=GIVEN) as keyring:
        assert keyring.derive("tokens") == key
    assert not (tmp_path / "other").exists()


async def test_key_from_the_file_can_be_given_instead(tmp_path: Path) -> None:
    """SET-6: moving the key from the file to a secret store changes nothing that was encrypted."""
    async with started(data_dir=tmp_path) as keyring:
        key = keyring.derive("tokens")
    async with started(secret_key=(tmp_path / "secret_key").read_text().strip()) as keyring:
        assert keyring.derive("tokens") == key


async def test_derived_keys_tell_nothing_of_each_other(keyring: Keyring) -> None:
    """SET-6: one key per purpose, by HKDF; the id of the key is none of them."""
    keys = {keyring.derive(purpose) for purpose in ("tokens", "variables", "key-id", "")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
    assert keyring.derive("tokens") == keyring.derive("tokens")
    assert len(keyring.key_id) == 12
    assert not any(key.hex().startswith(keyring.key_id) for key in keys)


async def test_keyring_answers_only_while_started() -> None:
    """ALL-1"""
    keyring = Keyring(SettingsService(secret_key=GIVEN))
    for _ in range(2):
        with pytest.raises(UnavailableError):
            keyring.derive("tokens")
        with pytest.raises(UnavailableError):
            _ = keyring.key_id
        await keyring.start()
        await keyring.start()
        keyring.derive("tokens")
        await keyring.stop()
        await keyring.stop()


@pytest.mark.parametrize(
    ("content", "what", "why"),
    [
        (b"", "is empty", None),
        (b" \n", "is empty", None),
        (b"short\n", "too weak", "5 characters"),
        (b"a" * 43, "too weak", "1 different"),
        (b"\x00" * 32, "is corrupt", "ASCII"),
        (bytes(range(200, 216)) + b"\xff" * 16, "is corrupt", "ASCII"),
        (b"two lines of text\nthat somebody wrote here\n", "is corrupt", "ASCII"),
        (b"0123456789abcdef" * 300, "is corrupt", "ASCII"),
    ],
)
def test_file_without_a_good_key_is_refused_and_kept(
    content: bytes, what: str, why: str | None, tmp_path: Path
) -> None:
    """SET-6: a truncated or foreign file is never replaced by a new key, which would lose what was encrypted."""
    (tmp_path / "secret_key").write_bytes(content)
    (tmp_path / "secret_key").chmod(0o600)
    error = refused(tmp_path)
    assert what in error.what
    assert why is None or why in str(error.why)
    assert "backup" in str(error.fix)
    assert (tmp_path / "secret_key").read_bytes() == content


def test_file_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    """SET-6"""
    SecretKeyFile(tmp_path).read_or_make()
    (tmp_path / "secret_key").chmod(0o644)
    assert "chmod 600" in str(refused(tmp_path).fix)


async def test_file_that_the_group_can_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """SET-6: volumes of Kubernetes with a group of their own are like this."""
    SecretKeyFile(tmp_path).read_or_make()
    (tmp_path / "secret_key").chmod(0o660)
    async with started(data_dir=tmp_path) as keyring:
        assert keyring.key_id
    assert "users of its group" in caplog.text


def test_folder_in_place_of_the_file(tmp_path: Path) -> None:
    """SET-6"""
    (tmp_path / "secret_key").mkdir()
    assert refused(tmp_path).why == "Is a directory"


def test_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """SET-6"""
    (tmp_path / "file").touch()
    error = refused(tmp_path / "file" / "data")
    assert error.why == "Not a directory"


def test_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """SET-6"""
    if os.geteuid() == 0:
        folder = Path("/proc/self")
    else:
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o500)
    assert "BEDPLATE_DATA_DIR" in str(refused(folder).fix)


@pytest.mark.parametrize(
    ("function", "code", "words"),
    [("fsync", errno.ENOSPC, "free space"), ("link", errno.EPERM, "BEDPLATE_SECRET_KEY")],
)
def test_disk_that_fails_leaves_nothing_behind(
    function: str, code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SET-6: full disk, and a file system without hard links."""

    def fail(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, function, fail)
    assert words in str(refused(tmp_path).fix)
    assert list(tmp_path.iterdir()) == []


def test_threads_that_start_together_agree(tmp_path: Path) -> None:
    """SET-6: nobody sees half a key, one makes it, all get it."""
    together = threading.Barrier(16)

    def start() -> tuple[str, bool]:
        together.wait()
        stored = SecretKeyFile(tmp_path / "data").read_or_make()
        return stored.secret, stored.made

    with ThreadPoolExecutor(16) as pool:
        results = [future.result() for future in [pool.submit(start) for _ in range(16)]]
    assert len({secret for secret, _ in results}) == 1
    assert sum(made for _, made in results) == 1


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    """SET-6"""
    code = (
        "import sys; from pathlib import Path; from bedplate.services.engines.secret_key import SecretKeyFile\n"
        "print(flush=True); sys.stdin.readline(); print(SecretKeyFile(Path(sys.argv[1])).read_or_make().secret)"
    )
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", code, str(tmp_path / "data")],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(3)
        ]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        secrets = {process.communicate()[0].strip() for process in processes}
    assert secrets == {(tmp_path / "data" / "secret_key").read_text().strip()}


@pytest.fixture
def hanging_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder whose secret key file never answers."""
    fifo = tmp_path / "secret_key"
    os.mkfifo(fifo, 0o600)
    yield tmp_path
    while any(thread.name.startswith("bedplate-keyring") for thread in threading.enumerate()):
        with contextlib.suppress(OSError):
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))


async def test_start_can_be_cancelled_while_the_disk_hangs(hanging_disk: Path) -> None:
    """SET-6, ALL-1: the event loop goes on, and a start that times out comes back."""
    keyring = Keyring(SettingsService(data_dir=hanging_disk))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await keyring.start()
    assert not keyring.started


def test_stored_key_is_not_in_its_repr(tmp_path: Path) -> None:
    """ALL-3"""
    stored = SecretKeyFile(tmp_path).read_or_make()
    assert stored.secret not in repr(stored)
