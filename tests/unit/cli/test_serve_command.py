"""``bedplate serve``: what it prints, how it fails, how it ends."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from dependency_injector.providers import Singleton

from bedplate.containers import ApplicationContainer
from bedplate.services.base import Service
from bedplate.wiring.cli.server import AddressError, serve


class Server:
    """A server in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.printed = ""

    def read_until(self, pattern: str) -> re.Match[str]:
        """Read what it prints until the pattern occurs."""
        assert self.process.stdout is not None
        while not (match := re.search(pattern, self.printed)):
            line = self.process.stdout.readline()
            assert line, f"ended with {self.process.wait()}: {self.process.communicate()[1]}"
            self.printed += line
        return match

    def end(self, signum: signal.Signals) -> tuple[int, str]:
        """Send a signal; return the exit code and what was written to standard error."""
        self.process.send_signal(signum)
        out, err = self.process.communicate()
        self.printed += out
        return self.process.returncode, err


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    monkeypatch.setenv("BEDPLATE_PROFILE", "test")
    with contextlib.ExitStack() as stack:

        def call(*args: str) -> Server:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "bedplate", "serve", *args],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return Server(process)

        yield call


ADDRESS = r"Address: (http://127\.0\.0\.1:\d+)\n"


def test_serves_until_sigterm(start: Callable[..., Server], folder: Path) -> None:
    """It says what started, where the data is, where it listens, and how to begin; and leaves quietly."""
    server = start()
    url = server.read_until(ADDRESS)[1]
    link = server.read_until(r"(http://\S+/setup\?token=\S+)\n")[1]
    assert re.search(r"^database +sqlite +default", server.printed, re.MULTILINE)
    assert f"Data:    {folder / 'data'}\n" in server.printed
    assert link.startswith(url)
    assert httpx.get(f"{url}/livez").status_code == 200
    assert httpx.get(link).status_code == 200
    code, err = server.end(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in err
    assert link.partition("token=")[2] not in err
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/livez")


def test_no_setup_link_once_there_is_a_superuser(
    start: Callable[..., Server], bedplate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUTH-6"""
    monkeypatch.setenv("BEDPLATE_AUTH__SUPERUSER", "root")
    monkeypatch.setenv("BEDPLATE_AUTH__SUPERUSER_PASSWORD", "correct horse battery")
    server = start()
    server.read_until(ADDRESS)
    code, _ = server.end(signal.SIGINT)
    assert code == 0
    assert "/setup" not in server.printed
    assert "correct horse" not in server.printed


def test_port_in_use(bedplate: Callable[..., Any], folder: Path) -> None:
    """The port is asked for before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = bedplate("serve", "--port", str(port))
    assert result.code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in result.err
    assert "why: Address already in use" in result.err
    assert "fix: stop what listens there, or set BEDPLATE_SERVER__PORT" in result.err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_host_of_another_machine(host: str, bedplate: Callable[..., Any]) -> None:
    result = bedplate("serve", "--host", host)
    assert result.code == 2
    assert "fix: set BEDPLATE_SERVER__HOST" in result.err


def test_service_that_does_not_start(bedplate: Callable[..., Any], folder: Path) -> None:
    """No traceback, and the address is given back."""
    (folder / "data").mkdir()
    (folder / "data" / "secret_key").touch(mode=0o600)
    result = bedplate("serve", "--port", "0")
    assert result.code == 2
    assert "keyring: the secret key file is empty" in result.err
    assert "Traceback" not in result.err


class Held(Service):
    """A service that starts when it is released."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.stopped = False

    async def _start(self) -> None:
        self.entered.set()
        await self.release.wait()

    async def _stop(self) -> None:
        self.stopped = True


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ApplicationContainer, Held]]:
    """A container one of whose services does not start until it is released."""
    monkeypatch.setenv("BEDPLATE_PROFILE", "test")
    container, service = ApplicationContainer(), Held()
    with container.variable.override(Singleton(lambda: service)):
        yield container, service


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_signal_during_the_start_undoes_it(
    signum: signal.Signals, held: tuple[ApplicationContainer, Held]
) -> None:
    """ALL-1: what had started is stopped again."""
    container, service = held
    serving = asyncio.create_task(serve(container))
    await service.entered.wait()
    os.kill(os.getpid(), signum)
    assert await serving == 128 + signum
    assert service.stopped
    assert not container.started


async def test_port_taken_while_starting(
    held: tuple[ApplicationContainer, Held], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two servers that start at once, the second to listen fails, and stops what it had started."""
    container, service = held
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("BEDPLATE_SERVER__PORT", str(port))
    serving = asyncio.create_task(serve(container))
    await service.entered.wait()
    with socket.create_server(("127.0.0.1", port)):
        service.release.set()
        with pytest.raises(AddressError, match=f"port {port}"):
            await serving
    assert service.stopped
    assert not container.started
