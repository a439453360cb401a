"""The first choice: bubblewrap puts a process into namespaces of its own, where almost nothing exists."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from types import TracebackType
from typing import Literal, Self

import msgspec

from saltus.records.errors import SandboxError
from saltus.tasks.sandbox.base import Job, Kind, Sandbox, file_bytes
from saltus.tasks.sandbox.cgroup import Group, Groups
from saltus.tasks.sandbox.interpreter import find_interpreter, nobody
from saltus.tasks.sandbox.limiting import limited, limiter
from saltus.tasks.sandbox.orphans import adopt, reap
from saltus.tasks.sandbox.seccomp import filter_program
from saltus.tasks.sandbox.syscalls import NAMESPACED
from saltus.tasks.sandbox.tree import descendants, memory

WORK = "/tmp/job"  # noqa: S108 - inside the sandbox
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": WORK, "TMPDIR": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108
_START = 10.0  # seconds that making the namespaces may take
_DEVICES = ("null", "zero", "full", "random", "urandom")


class Bubblewrap(Sandbox):
    """Runs jobs with `bwrap`.

    Raises:
        SandboxError: It is not installed, or too old.
    """

    kind: Kind = "bubblewrap"

    def __init__(self) -> None:
        program = shutil.which("bwrap")
        if program is None:
            raise SandboxError("bwrap is not installed; get it with: apt-get install bubblewrap")
        self._program = program
        self.version = _ask(program, "--version").removeprefix("bubblewrap ")
        options = _ask(program, "--help")
        for option in ("--size", "--clearenv", "--json-status-fd"):
            if option not in options:
                raise SandboxError(f"bwrap {self.version} has no {option}; install bubblewrap 0.5 or newer")
        interpreter = find_interpreter()
        self.python = interpreter.path
        self._filter = filter_program(NAMESPACED)
        adopt()
        self._groups = Groups()
        self._arguments = [
            *("--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"),
            *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-cgroup-try"),
            *("--unshare-uts", "--hostname", "sandbox", "--clearenv", "--die-with-parent", "--new-session"),
            *(["--disable-userns"] if "--disable-userns" in options else []),
            *_system(interpreter.prefix),
        ]
        self._limiter = limiter(interpreter.path)

    def start(self, job: Job) -> _Wrapped:
        """Start a job; it waits until its limits are set."""
        argv = (*limited(self._limiter, job.limits), *job.argv)
        return _Wrapped(
            [self._program, *self._arguments],
            self._filter,
            self._groups,
            msgspec.structs.replace(job, argv=argv),
        )


class _Wrapped:
    """One `bwrap`: a process outside that waits, and inside process 1, which has the command as its child.

    The command starts only when a byte comes through a pipe, so its group is there before it is.
    """

    def __init__(self, bwrap: list[str], program_filter: bytes, groups: Groups, job: Job) -> None:
        self._limits = job.limits
        self._group: Group | None = None
        self._inside = -1  # pidfd of process 1
        self._root = 0
        self._said = b""
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            self._status, status = _pipe(ours, theirs)
            gate, self._gate = _pipe(theirs, ours)
            fds = [status, gate, _content(theirs, program_filter)]
            inside = ["--json-status-fd", str(status), "--block-fd", str(gate), "--seccomp", str(fds[2])]
            inside += ["--size", str(job.limits.disk), "--tmpfs", "/tmp", "--dir", WORK]  # noqa: S108
            for path, content in job.files.items():
                fds.append(_content(theirs, file_bytes(content)))
                inside += ["--file", str(fds[-1]), f"{WORK}/{path}"]
            for name, value in ENVIRONMENT.items():
                inside += ["--setenv", name, value]
            self.process = subprocess.Popen(
                [*bwrap, *inside, "--remount-ro", "/", "--chdir", WORK, "--", *job.argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                pass_fds=fds,
                **nobody(),
            )
            self._held = ours.pop_all()
        try:
            self._confine(groups)
        except OSError as error:  # it ended meanwhile
            self.__exit__(None, None, None)
            raise _failed(str(error).encode()) from error
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def kill(self) -> None:
        """Kill process 1, with which the kernel kills all others before it lets it go."""
        if self._inside >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._inside, signal.SIGKILL)
            select.select([self._inside], [], [])
        else:  # only bwrap itself is there as yet; its child may not have learnt to die with it
            for pid in reversed(descendants(self.process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def reached(self) -> Literal["memory", "disk"] | None:
        """Memory of everything below process 1; the tmpfs holds its own size."""
        if self._group is not None:
            return "memory" if self._group.out_of_memory() else None
        limit = self._limits.memory
        return "memory" if memory(descendants(self._root), limit) > limit else None

    def exit_code(self) -> int:
        """Of the command, as bwrap reports it."""
        while chunk := os.read(self._status, 4096):
            self._said += chunk
        for line in self._said.splitlines():
            code = json.loads(line).get("exit-code")
            if code is not None:
                return int(code)
        raise _failed(b"it ended before it had started the command")

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
        if self._inside >= 0:
            reap(self._inside)
            os.close(self._inside)
            self._inside = -1
        if self._group is not None:
            self._group.remove()

    def _last_words(self) -> bytes:
        self.kill()
        try:
            said: bytes = self.process.communicate(timeout=1.0)[1]
            return said
        except subprocess.TimeoutExpired:
            return b"it did not come up"

    def _confine(self, groups: Groups) -> None:
        """Wait for process 1, put it into a group, and let it go on."""
        until = time.monotonic() + _START
        while not self._said.endswith(b"\n"):
            ready, _, _ = select.select([self._status], [], [], max(0.0, until - time.monotonic()))
            chunk = os.read(self._status, 4096) if ready else b""
            if not chunk:
                raise _failed(self._last_words())
            self._said += chunk
        self._root = int(json.loads(self._said.splitlines()[0])["child-pid"])
        self._inside = os.pidfd_open(self._root)
        self._group = groups.make(self._limits)
        if self._group is not None:
            try:
                self._group.add(self._root)
            except OSError:
                self._group.remove()
                self._group = None
                groups.give_up()
        os.write(self._gate, b"x")


def _system(prefix: str) -> list[str]:
    """What there is to read: programs, libraries, devices without effect, and of /etc two tables."""
    made = ["--ro-bind", "/usr", "/usr"]
    for path in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        if os.path.islink(path):
            made += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            made += ["--ro-bind", path, path]
    if not prefix.startswith("/usr"):
        made += ["--ro-bind", prefix, prefix]
    for path in ("/etc/ld.so.cache", "/etc/alternatives"):
        if os.path.exists(path):
            made += ["--ro-bind", path, path]
    for name in _DEVICES:
        made += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    return [*made, "--size", "1048576", "--tmpfs", "/dev/shm"]  # noqa: S108 - locks of multiprocessing


def _pipe(read: contextlib.ExitStack, write: contextlib.ExitStack) -> tuple[int, int]:
    reader, writer = os.pipe()
    read.callback(os.close, reader)
    write.callback(os.close, writer)
    return reader, writer


def _content(stack: contextlib.ExitStack, content: bytes) -> int:
    """A file without a name that holds this, open at its start."""
    fd = os.memfd_create("content")
    stack.callback(os.close, fd)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _ask(program: str, option: str) -> str:
    try:
        return subprocess.run(
            [program, option], capture_output=True, text=True, timeout=20, check=True, env={}
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(f"{program} {option} does not run ({error}); install bubblewrap again") from error


def _failed(said: bytes) -> SandboxError:
    why = said.decode("utf-8", "replace").strip().splitlines()
    return SandboxError(
        f"bubblewrap could not make a sandbox ({why[-1] if why else 'it said nothing'}); allow user "
        "namespaces, or see `saltus sandbox` for another kind that works here"
    )
