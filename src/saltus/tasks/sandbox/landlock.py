"""The last choice, without namespaces: Landlock for files, seccomp for the rest, a process to watch."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
from types import TracebackType
from typing import Any, Literal, Self

from saltus.records.errors import SandboxError
from saltus.tasks.sandbox import tree
from saltus.tasks.sandbox.base import Job, Kind, Sandbox
from saltus.tasks.sandbox.boot import program
from saltus.tasks.sandbox.folders import folder
from saltus.tasks.sandbox.interpreter import Interpreter, find_interpreter, nobody
from saltus.tasks.sandbox.limiting import rlimits
from saltus.tasks.sandbox.seccomp import filter_program
from saltus.tasks.sandbox.syscalls import shared

_CREATE_RULESET, _VERSION = 444, 1
_OWN = 0x7E57AB1E  # stands in the filter for a process that is not there yet
_PATIENCE = 5.0  # seconds that the watching process has to end everything
_READABLE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_WATCHING = ("saltus.tasks.sandbox.tree", "saltus.tasks.sandbox.confine")


class Landlock(Sandbox):
    """Runs jobs under Landlock.

    Args:
        abi: Use no more of Landlock than this version of its interface has; all that there is when None.

    Raises:
        SandboxError: The kernel has no Landlock.
    """

    kind: Kind = "landlock"

    def __init__(self, abi: int | None = None) -> None:
        there = landlock_abi()
        if there < 1:
            raise SandboxError(
                "this kernel has no Landlock, or it is switched off; it needs Linux 5.13 or newer"
            )
        self._abi = min(abi or there, there)
        self.version = f"ABI {self._abi}"
        self._interpreter = find_interpreter()
        self.python = self._interpreter.path
        self._filter = filter_program(shared(self._abi, _OWN))
        self._watching = program(_WATCHING)

    def start(self, job: Job) -> _Confined:
        """Start a job beside a process that watches it."""
        return _Confined(job, self._interpreter, self._abi, self._filter.hex(), self._watching)


def landlock_abi() -> int:
    """The version of the kernel's Landlock interface; 0 where there is none."""
    return max(0, int(ctypes.CDLL(None, use_errno=True).syscall(_CREATE_RULESET, None, 0, _VERSION)))


class _Confined:
    """One run: the watching process, and in a group of its own the command."""

    def __init__(
        self, job: Job, interpreter: Interpreter, abi: int, program_filter: str, watching: str
    ) -> None:
        self._said: dict[str, Any] | None = None
        who = nobody()
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            self._folder = ours.enter_context(folder(job.files, who.get("user")))
            self._status, status = os.pipe()
            ours.callback(os.close, self._status)
            theirs.callback(os.close, status)
            settings = {
                "parent": os.getpid(),
                "abi": abi,
                "argv": job.argv,
                "environment": {
                    "PATH": "/usr/bin:/bin",
                    "HOME": self._folder,
                    "TMPDIR": self._folder,
                    "LANG": "C.UTF-8",
                },
                "folder": self._folder,
                "readable": [*_READABLE, interpreter.prefix],
                "devices": _DEVICES,
                "memory": job.limits.memory,
                "disk": job.limits.disk,
                "rlimits": rlimits(job.limits, others=1 if who else 1 + _threads_of(os.getuid())),
                "filter": program_filter,
                "own": _OWN.to_bytes(4, "little").hex(),
            }
            settings_fd = _text(theirs, json.dumps(settings))
            self.process = subprocess.Popen(
                [interpreter.path, "-I", "-S", "-c", watching, str(settings_fd), str(status)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                pass_fds=(settings_fd, status),
                start_new_session=True,
                **who,
            )
            self._pidfd = os.pidfd_open(self.process.pid)
            ours.callback(os.close, self._pidfd)
            self._held = ours.pop_all()

    def kill(self) -> None:
        """Order the watching process to end the group; when it is gone, so is everything."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)
        if not select.select([self._pidfd], [], [], _PATIENCE)[0]:
            left = tree.descendants(self.process.pid)
            for pid in [*left[1:], left[0]]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def reached(self) -> Literal["memory", "disk"] | None:
        """What the watching process ended it for; known once it is over."""
        if self.process.poll() is None:
            return None
        found = self._status_said().get("reached")
        return found if found in ("memory", "disk") else None

    def exit_code(self) -> int:
        """Of the command, as the watching process reports it."""
        said = self._status_said()
        if "exit" not in said or "problem" in said:
            raise SandboxError(
                f"Landlock could not make a sandbox ({said.get('problem', 'it was ended before it began')}); "
                "see `saltus sandbox` for another kind that works here"
            )
        return int(said["exit"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        self._held.close()

    def _status_said(self) -> dict[str, Any]:
        if self._said is None:
            text = b""
            while chunk := os.read(self._status, 65536):
                text += chunk
            self._said = json.loads(text) if text else {}
        return self._said


def _threads_of(user: int) -> int:
    """Processes and threads that a user has now; the kernel counts them all together."""
    total = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == user:
                    total += len(os.listdir(f"/proc/{name}/task"))
    return total


def _text(stack: contextlib.ExitStack, text: str) -> int:
    fd = os.memfd_create("settings")
    stack.callback(os.close, fd)
    view = memoryview(text.encode())
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
