"""What clients of Socket.IO may ask for, and what they are told: the service behind it knows rooms and limits only."""

from bedplate.wiring.sockets.app import SocketApp
from bedplate.wiring.sockets.endpoint import SocketEndpoint

__all__ = ["SocketApp", "SocketEndpoint"]
