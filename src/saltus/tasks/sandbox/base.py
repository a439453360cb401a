"""What a sandbox is: limits, a job, its result, and the one class that every kind of sandbox fills in."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

import msgspec

from saltus.records.errors import UsageError
from saltus.tasks.sandbox.supervise import Child, supervise

if TYPE_CHECKING:
    from saltus.tasks.sandbox.selftest import SelfTest

Kind = Literal["bubblewrap", "runsc", "landlock"]
Ended = Literal["exit", "signal", "time", "memory", "output", "disk"]

_MB = 1024 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one run may use.

    Attributes:
        wall: Seconds.
        cpu: Seconds of the processor, each process.
        memory: Bytes of address space, each process, and of memory, all processes together.
        processes: Processes and threads at a time.
        output: Bytes of stdout, and of stderr; the run ends where there is more.
        file: Bytes of one file.
        disk: Bytes of all files together.
        open_files: Open files, each process.
    """

    wall: float = 10.0
    cpu: float = 10.0
    memory: int = 512 * _MB
    processes: int = 32
    output: int = _MB
    file: int = 16 * _MB
    disk: int = 64 * _MB
    open_files: int = 128


class Job(msgspec.Struct, frozen=True):
    """One thing to run.

    Attributes:
        argv: The command; a first word "python" stands for the sandbox's own interpreter.
        files: What lies in the work folder when it starts, by relative path.
        stdin: What it reads.
        limits: What it may use.
    """

    argv: tuple[str, ...]
    files: Mapping[str, str | bytes] = msgspec.field(default_factory=dict)
    stdin: str | bytes = ""
    limits: Limits = Limits()


class Result(msgspec.Struct, frozen=True):
    """How a run ended. Nothing else comes back: no file that the code left is ever read.

    Attributes:
        exit: Exit code, 128 + n where signal n ended it.
        stdout: At most `limits.output` bytes, decoded as UTF-8 with replacement characters.
        stderr: Likewise.
        seconds: Wall-clock time, start of the sandbox included.
        ended: "exit" by itself, "signal", or the limit that ended it. "memory" is also a Python program that
            ends with a MemoryError.
    """

    exit: int
    stdout: str
    stderr: str
    seconds: float
    ended: Ended


class Sandbox(ABC):
    """Runs code that nobody has read. Get one from `saltus.tasks.sandbox.find`."""

    kind: Kind
    version: str
    python: str

    @abstractmethod
    def start(self, job: Job) -> Child:
        """Start a job, its limits in force before its first instruction."""

    def run(
        self,
        files: Mapping[str, str | bytes],
        argv: Sequence[str],
        *,
        stdin: str | bytes = "",
        limits: Limits | None = None,
    ) -> Result:
        """Run a command in a fresh work folder, and end everything that it started.

        Args:
            files: What lies in the work folder when it starts, by relative path.
            argv: The command; a first word "python" stands for the sandbox's own interpreter.
            stdin: What it reads.
            limits: What it may use.

        Raises:
            SandboxError: The sandbox itself could not be made.
            UsageError: A file's path leads out of the work folder, or there is no command.
        """
        return self.run_job(Job(tuple(argv), files, stdin, limits or Limits()))

    def run_job(self, job: Job) -> Result:
        """The same as `run`, for a `Job`."""
        if not job.argv:
            raise UsageError("argv is empty; name a command to run", field="argv")
        for path in job.files:
            _check(path)
        argv = (self.python, *job.argv[1:]) if job.argv[0] == "python" else job.argv
        stdin = job.stdin.encode("utf-8", "surrogatepass") if isinstance(job.stdin, str) else job.stdin
        began = time.monotonic()
        with self.start(msgspec.structs.replace(job, argv=argv)) as child:
            outcome = supervise(
                child,
                stdin,
                began=began,
                wall=job.limits.wall,
                output=job.limits.output,
            )
        return Result(
            exit=outcome.exit,
            stdout=outcome.stdout.decode("utf-8", "replace"),
            stderr=outcome.stderr.decode("utf-8", "replace"),
            seconds=outcome.seconds,
            ended=outcome.ended,
        )

    def run_many(self, jobs: Iterable[Job], workers: int | None = None) -> Iterator[Result]:
        """Run many jobs, each in a sandbox of its own, several at a time.

        Args:
            jobs: Taken only as fast as they are run.
            workers: At a time; by default as many as there are processors to use.

        Yields:
            Results in the order of the jobs.
        """
        count = workers or len(os.sched_getaffinity(0))
        running: deque[Future[Result]] = deque()
        with ThreadPoolExecutor(count, thread_name_prefix="sandbox") as pool:
            try:
                for job in jobs:
                    running.append(pool.submit(self.run_job, job))
                    if len(running) >= 2 * count:
                        yield running.popleft().result()
                while running:
                    yield running.popleft().result()
            finally:
                for waiting in running:
                    waiting.cancel()

    def self_test(self) -> SelfTest:
        """Try to get out, in every way we know; tried once a process."""
        return self._tested

    @cached_property
    def _tested(self) -> SelfTest:
        from saltus.tasks.sandbox.selftest import examine

        return examine(self)


def file_bytes(content: str | bytes) -> bytes:
    """A file's content as it is written."""
    return content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content


def _check(path: str) -> None:
    parts = PurePosixPath(path)
    if (
        not path
        or parts.is_absolute()
        or ".." in parts.parts
        or "\0" in path
        or not parts.parts
        or str(parts) != path
    ):
        raise UsageError(
            f"{path!r} is not a file in the work folder; use a plain relative path such as 'data/in.txt'",
            field="files",
        )
