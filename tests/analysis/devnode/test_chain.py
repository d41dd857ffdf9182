"""Raw calls to a node."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from analysis.devnode.chain import Chain


class EndsConnections(BaseHTTPRequestHandler):
    """A node that ends a connection once it has answered, and does not say so: what is idle is ended like that."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": "0x1"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_rpc__connection_that_was_idle__is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), EndsConnections) as node:
        threading.Thread(target=node.serve_forever, daemon=True).start()
        chain = Chain(f"http://127.0.0.1:{node.server_port}")
        monkeypatch.setattr("analysis.devnode.chain.IDLE_SECONDS", 0)
        assert [chain.rpc("eth_blockNumber") for _ in range(3)] == ["0x1"] * 3
        monkeypatch.setattr("analysis.devnode.chain.IDLE_SECONDS", 60)
        with pytest.raises(OSError):
            chain.rpc("eth_blockNumber")
        node.shutdown()
