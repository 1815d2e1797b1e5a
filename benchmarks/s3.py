"""Files in and out of a bucket: against the bare client at the same server, and the memory of a large stream."""

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aiobotocore.session import get_session

from bedplate.services.storage import Namespace, StorageService
from benchmarks.harness import Aim, Row, absolute, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_MIB: Final = 1024 * 1024
_FILES: Final = 100
_AT_ONCE: Final = 10
_DATA: Final = os.urandom(_MIB)
_BUCKET: Final = "bench"
_KEYS: Final = ("an-access-key", "a-secret-key-of-benchmarks")


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """100 files of 1 MiB, ten at once, each way; and a stream of 1 GiB in a process of its own."""
    with temporary_folder() as folder, _server(Path(folder)) as endpoint:
        with (
            run_in(runner, folder, "storage", storage=settings(endpoint)) as container,
            _bare_client(runner, endpoint) as bare,
        ):
            storage: StorageService = container.storage()
            namespace = Namespace.user(uuid.uuid4())
            runner.run(_saves(storage, namespace))
            runner.run(_puts(bare))
            for name, ours, theirs in (
                ("put", lambda: _saves(storage, namespace), lambda: _puts(bare)),
                ("get", lambda: _reads(storage, namespace), lambda: _gets(bare)),
            ):
                yield ratio(
                    f"{_FILES} files of 1 MiB {name} on S3",
                    ours,
                    theirs,
                    against="aiobotocore alone, at the same server",
                    unit="MiB/s",
                    aim=Aim("≥", 0.9),
                    runner=runner,
                )
        yield absolute(
            "extra memory of 1 GiB streamed into and out of S3",
            lambda: _extra_memory(folder, endpoint),
            unit="MiB",
            aim=Aim("≤", 64.0),
            runner=runner,
            rounds=3,
        )


def settings(endpoint: str) -> dict[str, Any]:
    """The settings of the storage that use the server."""
    return {
        "backend": "s3",
        "s3_bucket": _BUCKET,
        "s3_endpoint": endpoint,
        "s3_access_key": _KEYS[0],
        "s3_secret_key": _KEYS[1],
        "s3_addressing": "path",
    }


@contextmanager
def _bare_client(runner: asyncio.Runner, endpoint: str) -> Iterator[Any]:
    """A client of the library as it is by default."""
    context = get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=_KEYS[0],
        aws_secret_access_key=_KEYS[1],
    )
    client = runner.run(context.__aenter__())
    try:
        yield client
    finally:
        runner.run(context.__aexit__(None, None, None))


async def _all(make: Any) -> float:
    """MiB a second of so many calls, ten at once."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with free:
            await make(number)

    begun = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(_FILES)))
    return _FILES / (time.perf_counter() - begun)


async def _saves(storage: StorageService, namespace: Namespace) -> float:
    return await _all(lambda number: storage.save(namespace, f"{number}.bin", _DATA))


async def _puts(bare: Any) -> float:
    return await _all(lambda number: bare.put_object(Bucket=_BUCKET, Key=f"bare/{number}", Body=io.BytesIO(_DATA)))


async def _reads(storage: StorageService, namespace: Namespace) -> float:
    return await _all(lambda number: storage.read(namespace, f"{number}.bin"))


async def _gets(bare: Any) -> float:
    async def get(number: int) -> None:
        answer = await bare.get_object(Bucket=_BUCKET, Key=f"bare/{number}")
        async with answer["Body"] as body:
            await body.read()

    return await _all(get)


def _extra_memory(folder: str, endpoint: str) -> float:
    command = [sys.executable, "-m", "benchmarks.peers.stream_file", folder, json.dumps(settings(endpoint))]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """An S3 API of rclone over a folder, in a process of its own."""
    (folder / "s3" / _BUCKET).mkdir(parents=True)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{found.getsockname()[1]}"
    program = str(Path(sysconfig.get_path("scripts")) / "rclone")
    command = [program, "serve", "s3", "--config", str(folder / "rclone.conf"), "--addr", endpoint]
    server = subprocess.Popen(
        [*command, "--auth-key", ",".join(_KEYS), str(folder / "s3")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(f"http://{endpoint}/"):
            time.sleep(0.05)
        yield f"http://{endpoint}"
    finally:
        server.kill()
        server.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except urllib.error.URLError:
        return False
    return True
