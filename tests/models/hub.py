"""A hub on loopback that serves folders as the Hugging Face hub does; in place of the real one."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Hub:
    """Serves `repositories`: name and revision to a folder. The commit is the hash of the folder's name.

    Attributes:
        asked: Paths of the files that were fetched, in order.
    """

    def __init__(self, repositories: dict[tuple[str, str], Path]) -> None:
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _answer(self, *, body: bool) -> None:
                path = self.path.partition("?")[0]
                for (name, revision), folder in repositories.items():
                    sha = hashlib.sha1(str(folder).encode(), usedforsecurity=False).hexdigest()
                    facts = [f"/api/models/{name}/revision/{known}" for known in (revision, sha)]
                    if path in facts or (revision == "main" and path == f"/api/models/{name}"):
                        files = [{"rfilename": file.name} for file in sorted(folder.iterdir())]
                        self._send(
                            json.dumps({"_id": "1", "id": name, "sha": sha, "siblings": files}).encode(),
                            sha,
                            body,
                        )
                        return
                    if path == f"/api/models/{name}/tree/{sha}":
                        listed = [
                            {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": file.name}
                            for file in sorted(folder.iterdir())
                        ]
                        self._send(json.dumps(listed).encode(), sha, body)
                        return
                    for known in (revision, sha):
                        file = folder / path.removeprefix(f"/{name}/resolve/{known}/")
                        if path.startswith(f"/{name}/resolve/{known}/") and file.is_file():
                            if body:
                                hub.asked.append(file.name)
                            self._send(file.read_bytes(), sha, body)
                            return
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _send(self, data: bytes, sha: str, body: bool) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("X-Repo-Commit", sha)
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
                self.end_headers()
                if body:
                    self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
