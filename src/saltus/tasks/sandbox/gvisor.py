"""The second choice: gVisor's `runsc` gives a process a kernel of its own, inside namespaces."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from saltus.records.errors import SandboxError
from saltus.tasks.sandbox.base import Job, Kind, Limits, Sandbox
from saltus.tasks.sandbox.folders import folder
from saltus.tasks.sandbox.interpreter import find_interpreter, nobody
from saltus.tasks.sandbox.limiting import rlimits
from saltus.tasks.sandbox.tree import descendants, memory

WORK = "/tmp/job"  # noqa: S108 - inside the sandbox
_OWN_MEMORY = 256 * 1024 * 1024  # what gVisor itself may use beside the job
_PATIENCE = 5.0  # seconds that killed processes have to go
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
# The job's files lie in a folder that is read-only; the work folder is memory.
_BEGIN = f'cp -R /in {WORK} && cd {WORK} && unset OLDPWD && exec "$@"'
# Starts runsc and takes in what it leaves behind; the kernel kills both when the one that started them dies.
_WATCH = """
import ctypes, os, sys
control = ctypes.CDLL(None).prctl
control(36, 1, 0, 0, 0)
control(1, 9, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
pid, code = os.fork(), 1
if pid == 0:
    control(1, 9, 0, 0, 0)
    os.execv(sys.argv[2], sys.argv[2:])
while True:
    try:
        one, how = os.wait()
    except ChildProcessError:
        break
    if one == pid:
        code = os.waitstatus_to_exitcode(how)
os._exit(code if code >= 0 else 128 - code)
"""


class Runsc(Sandbox):
    """Runs jobs with `runsc`.

    Raises:
        SandboxError: It is not installed.
    """

    kind: Kind = "runsc"

    def __init__(self) -> None:
        program = shutil.which("runsc")
        if program is None:
            raise SandboxError("runsc is not installed; get it with: apt-get install runsc")
        self._program = program
        try:
            said = subprocess.run(
                [program, "--version"], capture_output=True, text=True, timeout=20, check=True
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise SandboxError(f"{program} --version does not run ({error}); install runsc again") from error
        self.version = said.splitlines()[0].removeprefix("runsc version ")
        interpreter = find_interpreter()
        self.python = interpreter.path
        self._mounts = _mounts(interpreter.prefix)

    def start(self, job: Job) -> _Contained:
        """Start a job in a container of its own."""
        return _Contained(self._program, self.python, self._mounts, job)


class _Contained:
    """One `runsc run` and a process that watches it; the container's kernel and its file server are below."""

    def __init__(self, program: str, python: str, mounts: list[dict[str, Any]], job: Job) -> None:
        self._limits = job.limits
        who = nobody()
        with contextlib.ExitStack() as ours:
            bundle = ours.enter_context(folder(_bundle(mounts, job), who.get("user")))
            spec = json.loads(Path(bundle, "config.json").read_text())
            spec["mounts"].append(_bind(f"{bundle}/in", "/in"))
            Path(bundle, "config.json").write_text(json.dumps(spec))
            self._begun = Path(bundle, "pid")
            self.process = subprocess.Popen(
                [
                    *(python, "-I", "-S", "-c", _WATCH, str(os.getpid())),
                    *(program, "--root", f"{bundle}/state", "--rootless", "--network=none"),
                    *("--ignore-cgroups", "run", "--bundle", bundle, "--pid-file", str(self._begun)),
                    f"saltus-{os.path.basename(bundle)}",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                cwd="/",
                start_new_session=True,
                **who,
            )
            self._held = ours.pop_all()

    def kill(self) -> None:
        """Kill the processes of the host in which the container lives; all in it goes with them."""
        until = time.monotonic() + _PATIENCE
        ended = os.pidfd_open(self.process.pid) if self.process.returncode is None else -1
        while ended >= 0:
            for pid in descendants(self.process.pid)[1:]:  # the first one stays to take the others in
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if select.select([ended], [], [], 0.01)[0] or time.monotonic() > until:
                os.close(ended)
                ended = -1
        self.process.kill()

    def reached(self) -> Literal["memory", "disk"] | None:
        """Memory of the container's kernel, in which that of the code lies."""
        limit = self._limits.memory + self._limits.disk + _OWN_MEMORY
        return "memory" if memory(descendants(self.process.pid), limit) > limit else None

    def exit_code(self) -> int:
        """Of the command, which runsc passes on."""
        if not self._begun.exists():
            raise SandboxError(
                "runsc could not make a sandbox; allow user namespaces, or see `saltus sandbox` for another "
                "kind that works here"
            )
        return int(self.process.returncode)

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


def _bundle(mounts: list[dict[str, Any]], job: Job) -> dict[str, str | bytes]:
    """The files of an OCI bundle: its description, an empty root, and what the job brings."""
    files: dict[str, str | bytes] = {f"in/{path}": content for path, content in job.files.items()}
    files["in/.keep"] = files["rootfs/.keep"] = ""
    tmpfs = {
        "destination": "/tmp",  # noqa: S108
        "type": "tmpfs",
        "source": "tmpfs",
        "options": [f"size={job.limits.disk}", "nosuid", "nodev"],
    }
    files["config.json"] = json.dumps(
        {
            "ociVersion": "1.0.0",
            "process": {
                "user": {"uid": 1000, "gid": 1000},
                "args": ["/bin/sh", "-c", _BEGIN, "sh", *job.argv],
                "env": ["PATH=/usr/bin:/bin", f"HOME={WORK}", "TMPDIR=/tmp", "LANG=C.UTF-8"],
                "cwd": "/tmp",  # noqa: S108
                "capabilities": {},
                "noNewPrivileges": True,
                "rlimits": _oci_limits(job.limits),
            },
            "root": {"path": "rootfs", "readonly": True},
            "hostname": "sandbox",
            # Code needs neither, and through /proc a process sees the files of others.
            "mounts": [*mounts, tmpfs, *(_empty(path) for path in ("/proc", "/sys", "/dev/shm"))],  # noqa: S108
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
        }
    )
    return files


def _oci_limits(limits: Limits) -> list[dict[str, Any]]:
    return [
        {"type": f"RLIMIT_{name}", "soft": soft, "hard": hard}
        for name, (soft, hard) in rlimits(limits, others=0).items()
    ]


def _mounts(prefix: str) -> list[dict[str, Any]]:
    paths = [path for path in _SYSTEM if os.path.exists(path)]
    if not prefix.startswith("/usr"):
        paths.append(prefix)
    return [_bind(path, path) for path in paths]


def _empty(path: str) -> dict[str, Any]:
    options = ["size=1048576", "nosuid", "nodev", *(["ro"] if path != "/dev/shm" else [])]  # noqa: S108
    return {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": options}


def _bind(source: str, destination: str) -> dict[str, Any]:
    return {
        "destination": destination,
        "type": "bind",
        "source": os.path.realpath(source),
        "options": ["ro", "rbind", "nosuid", "nodev"],
    }
