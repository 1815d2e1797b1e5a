"""A task of Celery alone, acknowledged when it has ended, with results in Redis."""

import os

from celery import Celery

app = Celery("peer", broker=os.environ["PEER_URL"], backend=os.environ["PEER_URL"])
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, worker_enable_remote_control=False)


@app.task(name="peer.add")
def add(number: int) -> int:
    return number + 1
