"""A proxy before a node that breaks what one asks it to: answers get lost, stall, or are refusals.

It speaks HTTP to both sides and reads each JSON-RPC request, so that a fault can wait for the request it is for.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Params = list[Any]


class Fault:
    """What is done to a request instead of passing it on and its answer back."""


@dataclass(frozen=True)
class LoseAnswer(Fault):
    """The node gets the request; the connection ends without an answer."""


@dataclass(frozen=True)
class LoseRequest(Fault):
    """The connection ends before the node gets the request."""


@dataclass(frozen=True)
class Stall(Fault):
    """Nothing is said for some time, or until the proxy ends; then the request is passed on."""

    seconds: float


@dataclass(frozen=True)
class Reply(Fault):
    """An HTTP status and a body of the proxy's own."""

    status: int
    body: bytes = b""


@dataclass(frozen=True)
class Say(Fault):
    """An answer of the proxy's own, such as {"error": {"code": -32000, "message": "nonce too low"}}."""

    answer: dict[str, Any]


@dataclass
class _Rule:
    fault: Fault
    method: str | None
    left: int
    matches: Callable[[str, Params], bool]


@dataclass
class Proxy:
    """A proxy that runs.

    Attributes:
        uri: where it listens.
        requests: every request that came, in order: its method and its parameters.
    """

    upstream: str
    port: int = 0
    requests: list[tuple[str, Params]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rules: list[_Rule] = []
        self._guard = threading.Lock()
        self._ending = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self.open()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listen, at the same port as before."""
        self._ending.clear()
        self._server = _Server(("127.0.0.1", self.port), _handler_of(self))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Listen no more: connections are refused, and those that are there end."""
        if self._server is not None:
            self._ending.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def fail(
        self,
        fault: Fault,
        method: str | None = None,
        times: int = 1,
        matches: Callable[[str, Params], bool] = lambda method, params: True,
    ) -> None:
        """Break the next requests.

        Args:
            fault: what is done to them.
            method: only requests of this method; None: all.
            times: how many.
            matches: only those for which this is true, by method and parameters.
        """
        with self._guard:
            self._rules.append(_Rule(fault, method, times, matches))

    def mend(self) -> None:
        """Break nothing any more."""
        with self._guard:
            self._rules.clear()

    def sent(self) -> list[str]:
        """The signed transactions that came, each once, in the order in which they first did."""
        return list(dict.fromkeys(params[0] for method, params in self.requests if method == "eth_sendRawTransaction"))

    def fault_for(self, method: str, params: Params) -> Fault | None:
        """What to do to a request that has come; None: nothing."""
        with self._guard:
            self.requests.append((method, params))
            for rule in self._rules:
                if rule.left and rule.method in (None, method) and rule.matches(method, params):
                    rule.left -= 1
                    return rule.fault
        return None

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the proxy's end."""
        self._ending.wait(seconds)

    @property
    def ended(self) -> bool:
        return self._ending.is_set()


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    """Run a proxy before a node."""
    proxy = Proxy(upstream)
    try:
        yield proxy
    finally:
        proxy.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # connections that are kept open would hold it up
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked may have gone: that is what the proxy is for."""


def _handler_of(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(asked)
            first = request[0] if isinstance(request, list) else request
            if proxy.ended:
                self.close_connection = True
                return
            match proxy.fault_for(first["method"], first.get("params", [])):
                case LoseRequest():
                    self.close_connection = True
                case LoseAnswer():
                    _ask(proxy.upstream, asked)
                    self.close_connection = True
                case Reply(status, body):
                    self._answer(status, body)
                case Say(answer):
                    self._answer(200, json.dumps({"jsonrpc": "2.0", "id": first["id"], **answer}).encode())
                case Stall(seconds):
                    proxy.wait(seconds)
                    self._pass_on(asked)
                case _:
                    self._pass_on(asked)

        def _pass_on(self, asked: bytes) -> None:
            try:
                answer = _ask(proxy.upstream, asked)
            except OSError:  # the node is gone, and so is who stands before it
                self.close_connection = True
                return
            self._answer(200, answer)

        def _answer(self, status: int, body: bytes) -> None:
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed."""

    return Handler


def _ask(upstream: str, body: bytes) -> bytes:
    connection = HTTPConnection(urlsplit(upstream).netloc, timeout=60)
    try:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        return connection.getresponse().read()
    finally:
        connection.close()
