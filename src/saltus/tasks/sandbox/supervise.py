"""Stands beside one running sandbox: feeds it, reads it, and ends all of it at the first limit it reaches."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from types import TracebackType
from typing import Literal, Protocol, Self

import msgspec

_TICK = 0.02  # seconds between two looks at memory and disk
_DRAIN = 1.0  # seconds that pipes may stay open once everything is dead
_CHUNK = 65536


class Outcome(msgspec.Struct, frozen=True):
    """How a child ended and what it said."""

    exit: int
    stdout: bytes
    stderr: bytes
    seconds: float
    ended: Literal["exit", "signal", "time", "memory", "output", "disk"]


class Child(Protocol):
    """A sandbox that runs. As a context it ends everything and frees what it holds."""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that stands for the sandbox, with three pipes."""
        ...

    def kill(self) -> None:
        """End every process in the sandbox, whatever it does against it; returns when they are gone."""
        ...

    def reached(self) -> Literal["memory", "disk"] | None:
        """The limit that all processes together have gone over; asked while it runs and at the end."""
        ...

    def exit_code(self) -> int:
        """Of the command, once the process is gone.

        Raises:
            SandboxError: The command never started.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def supervise(child: Child, stdin: bytes, *, began: float, wall: float, output: int) -> Outcome:
    """Let a child run until it ends or a limit ends it.

    Args:
        child: Just started.
        stdin: What it reads.
        began: When its start began, as `time.monotonic` says it.
        wall: Seconds.
        output: Bytes of each stream that are kept; one more ends it.
    """
    looked = began
    pipes = _Pipes(child.process, stdin, output)
    why: Literal["time", "memory", "output", "disk"] | None = None
    try:
        while why is None and not pipes.exited:
            now = time.monotonic()
            if now >= began + wall:
                why = "time"
                break
            pipes.turn(min(began + wall - now, _TICK))
            if pipes.overflowed:
                why = "output"
            elif not pipes.exited and time.monotonic() - looked >= _TICK:
                why = child.reached()
                looked = time.monotonic()
        child.kill()
        pipes.drain()
        child.process.wait()
    finally:
        pipes.close()
    seconds = time.monotonic() - began
    stdout, stderr = pipes.stdout, pipes.stderr
    if why is None:
        why = "output" if pipes.overflowed else child.reached()
    if why is not None:
        return Outcome(128 + signal.SIGKILL, stdout, stderr, seconds, why)
    code = child.exit_code()
    return Outcome(code, stdout, stderr, seconds, _ended(code, stderr))


def _ended(code: int, stderr: bytes) -> Literal["exit", "signal", "time", "memory"]:
    if code == 128 + signal.SIGXCPU:
        return "time"
    if code and stderr.rstrip().rsplit(b"\n", 1)[-1].startswith(b"MemoryError"):
        return "memory"
    return "signal" if 128 < code <= 128 + signal.NSIG else "exit"


class _Pipes:
    """Three pipes and the end of the process, in one loop."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, output: int) -> None:
        assert process.stdin is not None  # noqa: S101 - they are always pipes here
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        self._process = process
        self._unsent = memoryview(stdin)
        self._output = output
        self._read: dict[int, bytearray] = {
            process.stdout.fileno(): bytearray(),
            process.stderr.fileno(): bytearray(),
        }
        self._pidfd = os.pidfd_open(process.pid)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pidfd, selectors.EVENT_READ)
        for fd in self._read:
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ)
        self._open = set(self._read)
        self.exited = False
        if stdin:
            os.set_blocking(process.stdin.fileno(), False)
            self._selector.register(process.stdin.fileno(), selectors.EVENT_WRITE)
        else:
            process.stdin.close()

    @property
    def stdout(self) -> bytes:
        return bytes(next(iter(self._read.values()))[: self._output])

    @property
    def stderr(self) -> bytes:
        return bytes(list(self._read.values())[1][: self._output])

    @property
    def overflowed(self) -> bool:
        return any(len(read) > self._output for read in self._read.values())

    def turn(self, wait: float) -> None:
        """Move what can be moved, or wait so long for it."""
        for key, _ in self._selector.select(wait):
            if key.fd == self._pidfd:
                self.exited = True
                self._selector.unregister(self._pidfd)
            elif key.fd in self._read:
                self._take(key.fd)
            else:
                self._give(key.fd)

    def drain(self) -> None:
        """Read what is left in the pipes, once nobody writes any more."""
        if not self.exited:
            self._selector.unregister(self._pidfd)
        until = time.monotonic() + _DRAIN
        while self._open and not self.overflowed and time.monotonic() < until:
            for key, _ in self._selector.select(0.05):
                if key.fd in self._open:
                    self._take(key.fd)

    def close(self) -> None:
        self._selector.close()
        os.close(self._pidfd)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _take(self, fd: int) -> None:
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self._selector.unregister(fd)
            self._open.discard(fd)
        elif len(self._read[fd]) <= self._output:
            self._read[fd] += chunk

    def _give(self, fd: int) -> None:
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._unsent = self._unsent[os.write(fd, self._unsent[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent = self._unsent[:0]  # it does not read; that is its own affair
        if not self._unsent:
            self._selector.unregister(fd)
            self._process.stdin.close()
