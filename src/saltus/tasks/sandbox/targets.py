"""What the self-test puts up on this machine for code in a sandbox to go for: servers, files, processes."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_WAIT = "import sys; sys.stdin.read()"


@contextlib.contextmanager
def targets() -> Iterator[tuple[dict[str, Any], Callable[[], dict[str, bool]]]]:
    """Put targets up: servers, files that everybody may use, processes.

    Yields:
        What the code is told, and a function that says which of them were hit.
    """
    token = secrets.token_hex(16)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="saltus-target-"))
        os.chmod(folder, 0o777)  # noqa: S103 - a target
        for name in ("secret", "writable", "mode"):
            Path(folder, name).write_text(token)
            os.chmod(Path(folder, name), 0o666)  # noqa: S103 - a target
        servers = _Servers(stack, folder, token)
        victim, traced = (stack.enter_context(_process(token)) for _ in range(2))
        given = {
            "token": token,
            "folder": folder,
            **{name: str(Path(folder, name)) for name in ("secret", "writable", "mode", "socket")},
            "tcp": servers.tcp,
            "udp": servers.udp,
            "abstract": token,
            "home": _private(os.path.expanduser("~"), folder),
            "current": _private(os.getcwd(), folder),
            "prefix": sys.base_prefix,
            "pid": traced.pid,
            "victim": victim.pid,
            "traced": traced.pid,
        }

        def harm() -> dict[str, bool]:
            return {
                "write_outside": Path(folder, "written").exists(),
                "truncate": Path(folder, "writable").stat().st_size == 0,
                "change_mode": stat.S_IMODE(Path(folder, "mode").stat().st_mode) != 0o666,
                "kill": victim.poll() is not None,
            }

        yield given, harm


class _Servers:
    """A server of each kind on this machine; they take what comes and answer one word."""

    def __init__(self, stack: contextlib.ExitStack, folder: str, token: str) -> None:
        _, self.tcp = self._bound(stack, socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        udp, self.udp = self._bound(stack, socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
        self._bound(stack, socket.AF_UNIX, socket.SOCK_STREAM, "\0" + token)
        self._bound(stack, socket.AF_UNIX, socket.SOCK_STREAM, f"{folder}/socket")
        os.chmod(f"{folder}/socket", 0o777)  # noqa: S103 - a target
        self._udp = udp
        answering = threading.Thread(target=self._answer, name="self-test-udp")
        answering.start()
        stack.callback(answering.join)
        stack.callback(self._stop)

    @staticmethod
    def _bound(
        stack: contextlib.ExitStack, family: int, kind: int, address: Any
    ) -> tuple[socket.socket, int]:
        server = stack.enter_context(socket.socket(family, kind))
        server.bind(address)
        if kind == socket.SOCK_STREAM:
            server.listen()
        name = server.getsockname()
        return server, name[1] if isinstance(name, tuple) else 0

    def _answer(self) -> None:
        while True:
            said, where = self._udp.recvfrom(16)
            if said == b"stop":
                return
            self._udp.sendto(b"hello", where)

    def _stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.sendto(b"stop", ("127.0.0.1", self.udp))


@contextlib.contextmanager
def _process(token: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits, with a secret in its environment."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WAIT],
        stdin=subprocess.PIPE,
        env={"SALTUS_TARGET": token},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _private(path: str, otherwise: str) -> str:
    """A folder that code has no business in; those that a sandbox has of its own are none."""
    own = path in ("/", "/tmp", "/dev", "/etc", "/proc") or path.startswith("/usr")  # noqa: S108
    return otherwise if own or not os.path.isdir(path) else path
