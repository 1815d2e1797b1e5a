"""A cluster on one machine, as `make cluster` and `make cluster-demo` run it."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_ROOT = Path(__file__).parents[2]


def test_every_step_across_replicas_is_as_it_should_be() -> None:
    """JOB-4, AUTH-6, SOCK-3, STO-4, TASK-2: two replicas and workers, one after another killed."""
    done = subprocess.run(
        [sys.executable, "-m", "examples.cluster.demo"], cwd=_ROOT, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all as they should be" in done.stdout


def test_a_cluster_is_brought_up_and_ended_whole(tmp_path: Path) -> None:
    """SET-3: it says where everything is, keeps its secrets to itself, and leaves no process behind."""
    command = [sys.executable, "-m", "examples.cluster", "--data", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        said = ""
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if "Ctrl-C ends all of it" in line:
                break
        urls = re.findall(r"Replica \d +(http://\S+)", said)
        assert [httpx.get(f"{url}/readyz").status_code for url in urls] == [200, 200], said
        assert "/setup?token=" in said
        ports = [int(port) for port in re.findall(r"(?:127\.0\.0\.1:)(\d+)", said)]
        assert len(set(ports)) == 5, said
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(60) == 0
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
    settings = tmp_path / "cluster.env"
    assert settings.stat().st_mode & 0o077 == 0
    values = dict(line.split("=", 1) for line in settings.read_text().splitlines())
    for name in ("BEDPLATE_SECRET_KEY", "BEDPLATE_STORAGE__S3_SECRET_KEY"):
        assert values[name].strip("'") not in said
