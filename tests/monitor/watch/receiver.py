"""A loopback server that takes events, as a test's rule says, and remembers them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Rule = Callable[[int, dict[str, Any]], int | tuple[int, dict[str, str]] | float]


class Receiver:
    """Answers each POST by `rule(number of the request, body)`: a status, with headers or not, or a pause.

    Attributes:
        bodies: Everything that was posted.
        taken: What was answered with 200.
    """

    def __init__(self, rule: Rule = lambda number, body: 200, port: int = 0) -> None:
        self.rule = rule
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.taken: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.bodies.append(body)
                receiver.keys.append(self.headers["Idempotency-Key"])
                answer = receiver.rule(len(receiver.bodies), body)
                if isinstance(answer, float):
                    time.sleep(answer)
                    return
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                if status == 200:
                    receiver.taken.append(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
