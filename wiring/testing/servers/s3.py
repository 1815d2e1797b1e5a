"""Real S3 APIs on ports of their own: moto's, and rclone's, which checks signatures and when links expire."""

import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bedplate.services.engines.s3 import S3Address
from bedplate.wiring.testing.servers.postgres import free_port

__all__ = ["S3Server", "moto", "rclone"]

_READY = 30.0


class S3Server(msgspec.Struct, frozen=True, kw_only=True):
    """A running server, and a pair of keys that it knows."""

    endpoint: str
    access_key: str = "an-access-key-of-tests"
    secret_key: str = "a-secret-key-of-tests-that-nobody-may-see"

    def settings(self, bucket: str, **more: Any) -> dict[str, Any]:
        """The settings of the storage that use a bucket of this server."""
        return {
            "backend": "s3",
            "s3_bucket": bucket,
            "s3_endpoint": self.endpoint,
            "s3_region": "us-east-1",
            "s3_access_key": self.access_key,
            "s3_secret_key": self.secret_key,
            "s3_addressing": "path",
            **more,
        }

    @property
    def address(self) -> S3Address:
        """Where it is."""
        return S3Address(
            endpoint=self.endpoint, access_key=self.access_key, secret_key=self.secret_key, addressing="path"
        )


@contextmanager
def moto(folder: Path, *, port: int | None = None) -> Iterator[S3Server]:
    """Run moto's server, which keeps everything in its memory, for the length of a block."""
    port = port or free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, folder / "moto.log", port):
        yield S3Server(endpoint=f"http://127.0.0.1:{port}")


@contextmanager
def rclone(folder: Path, *, port: int | None = None, options: tuple[str, ...] = ()) -> Iterator[S3Server]:
    """Run ``rclone serve s3`` over a folder for the length of a block."""
    port = port or free_port()
    scheme = "https" if "--cert" in options else "http"
    server = S3Server(endpoint=f"{scheme}://127.0.0.1:{port}")
    data = folder / "data"
    data.mkdir(exist_ok=True)
    command = [str(Path(sysconfig.get_path("scripts")) / "rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    command += ["--config", str(folder / "rclone.conf"), "--auth-key", f"{server.access_key},{server.secret_key}"]
    with _running([*command, *options, str(data)], folder / "rclone.log", port, scheme):
        yield server


@contextmanager
def _running(command: list[str], log: Path, port: int, scheme: str = "http") -> Iterator[None]:
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait(server, f"{scheme}://127.0.0.1:{port}/", log)
        yield
    finally:
        server.terminate()
        server.wait(timeout=_READY)


def _wait(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    until = time.monotonic() + _READY
    while True:
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except urllib.error.URLError as error:
            if "CERTIFICATE" in str(error.reason):
                return
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        else:
            return
