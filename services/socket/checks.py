"""What the doctor looks at on behalf of the socket service."""

from collections.abc import Iterator

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check

__all__ = ["CHECKS"]


@check("socket.polling-needs-affinity", Severity.WARNING, "Clients of Socket.IO may come to any replica")
def _polling(_socket: object, around: Surroundings) -> Iterator[Trouble]:
    if around.values.server.replicas > 1 and "polling" in around.values.socket.transports:
        yield Trouble(
            f"there are {around.values.server.replicas} replicas, and a client that polls has to reach the same one "
            "with every request",
            fix="set BEDPLATE_SOCKET__TRANSPORTS=websocket, or have the load balancer send each client to one replica "
            "and ignore this",
        )


CHECKS: tuple[Check, ...] = (_polling,)
