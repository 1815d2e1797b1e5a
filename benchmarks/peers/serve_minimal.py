"""Serves the minimal application over HTTP, as `bedplate serve` does Bedplate's."""

import sys

import uvicorn

from benchmarks.peers.minimal_app import create_app

uvicorn.run(create_app(sys.argv[1]), port=int(sys.argv[2]), access_log=False, log_level="error")
