"""A relay to a node or a server: it can be cut, and remembers what was said to there."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress


class Relay:
    """Passes connections on to a port of this machine, until it is cut, and again once it is mended.

    Attributes:
        requests: pieces that were passed on to there: of requests as short as those of a reader, each is one.
        heard: all that was passed on to there.
    """

    def __init__(self, port: int):
        self.requests = 0
        self.heard = bytearray()
        self._to = port
        self._whole = True
        self._ends: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Whoever is connected, or connects, is hung up on."""
        self._whole = False
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Connections are passed on again."""
        self._whole = True

    def close(self) -> None:
        """For good."""
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends |= {near, far}
                for pair in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while part := one.recv(65536):
                if counted:
                    self.requests += 1
                    self.heard += part
                other.sendall(part)
        for end in (one, other):
            self._ends.discard(end)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def wait_for(what: str, true: object, seconds: float = 20) -> None:
    """Until a condition, a function without arguments, is true."""
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"it never came to this: {what}"
        time.sleep(0.05)
