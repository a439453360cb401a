"""A sandbox's proof: targets are put up on this machine, code inside goes for them, they stay unharmed."""

from __future__ import annotations

import json
import os
import platform
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from saltus.records.errors import SandboxError
from saltus.tasks.sandbox import probes
from saltus.tasks.sandbox.base import Kind, Limits, Sandbox
from saltus.tasks.sandbox.targets import targets

_MB = 1024 * 1024
_PYTHON = ("python", "-I", "-S", "-c")
_PROBES = Path(probes.__file__).read_text(encoding="utf-8")


class Check(msgspec.Struct, frozen=True):
    """One attempt.

    Attributes:
        name: What was tried.
        held: Whether the sandbox stood.
        seen: What the code inside met, or what happened outside.
    """

    name: str
    held: bool
    seen: str


class SelfTest(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of sandbox holds against on this machine; kept with every run that used it.

    Attributes:
        kind: Which one.
        version: Of the program or interface behind it.
        python: The interpreter that code gets.
        system: Kernel and machine.
        user: Id of the user who started it; 0 is root.
        checks: Every attempt.
    """

    kind: Kind
    version: str
    python: str
    system: str
    user: int
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether all attempts were held."""
        return all(check.held for check in self.checks)

    @property
    def broken(self) -> tuple[Check, ...]:
        """The attempts that were not."""
        return tuple(check for check in self.checks if not check.held)

    def as_dict(self) -> dict[str, Any]:
        """The same in words that JSON knows, with `passed`."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return {**found, "passed": self.passed}


def examine(sandbox: Sandbox) -> SelfTest:
    """Try everything against a sandbox. Takes about a second.

    Raises:
        SandboxError: The sandbox does not start, or does not run a program that does nothing bad.
    """
    hello = sandbox.run({}, [*_PYTHON, "print('hello')"])
    if hello.stdout != "hello\n":
        raise SandboxError(
            f"{sandbox.kind} does not run Python here (exit {hello.exit}: "
            f"{_last(hello.stderr) or hello.ended}); see `saltus sandbox` for another kind"
        )
    attempts: list[Callable[[Sandbox], list[Check]]] = [_probe, _loop, _memory, _forks, _output, _disk]
    with ThreadPoolExecutor(len(attempts), thread_name_prefix="self-test") as pool:
        checks = [check for found in pool.map(lambda attempt: attempt(sandbox), attempts) for check in found]
    return SelfTest(
        kind=sandbox.kind,
        version=sandbox.version,
        python=sandbox.python,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        user=os.geteuid(),
        checks=tuple(checks),
    )


def _probe(sandbox: Sandbox) -> list[Check]:
    """All attempts of one process at targets outside; where a target can tell, it is the one asked."""
    with targets() as (given, harm):
        result = sandbox.run(
            {},
            [*_PYTHON, _PROBES],
            stdin=json.dumps(given),
            limits=Limits(wall=20.0),
        )
        harmed = harm()
    try:
        said = json.loads(result.stdout)
    except json.JSONDecodeError:
        said = {}
    if (
        sandbox.kind == "runsc" and "new_namespace" in said
    ):  # it is one of gVisor's own kernel, not of this one
        said["new_namespace"]["escaped"] = False
    missing = {"escaped": True, "seen": f"not tried: {_last(result.stderr) or result.ended}"}
    found = {name: said.get(name, missing) for name in probes.ATTEMPTS}
    return [
        Check(name, not (harmed[name] if name in harmed else one["escaped"]), one["seen"])
        for name, one in found.items()
    ]


def _loop(sandbox: Sandbox) -> list[Check]:
    """A program that never ends, hears no signal, and leaves a process that has nothing to do with it."""
    code = (
        "import os, signal\n"
        "for number in range(1, signal.NSIG):\n"
        "    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "if os.fork() == 0:\n"
        "    try: os.setsid()\n"
        "    except OSError: pass\n"
        "    os.fork()\n"
        "while True: pass\n"
    )
    token = secrets.token_hex(16)
    result = sandbox.run(
        {}, [*_PYTHON, code, token], limits=Limits(wall=0.5 if sandbox.kind != "runsc" else 1.5)
    )
    left = [pid for pid in os.listdir("/proc") if pid.isdigit() and token in _command(pid)]
    return [
        Check("endless_loop", result.ended == "time", f"ended by {result.ended}"),
        Check("left_behind", not left, f"{len(left)} processes were left"),
    ]


def _memory(sandbox: Sandbox) -> list[Check]:
    """More memory than allowed: in one process, and in several that each keep to the limit."""
    alone = "held = []\nwhile True: held.append(bytearray(2 ** 20))"
    together = (
        "import os, time\n"
        "for _ in range(7):\n"
        "    if os.fork() == 0: break\n"
        "held = b'x' * (80 * 2 ** 20)\n"
        "time.sleep(20)"
    )
    limits = Limits(wall=10.0, memory=128 * _MB, disk=_MB)
    one = sandbox.run({}, [*_PYTHON, alone], limits=limits)
    many = sandbox.run({}, [*_PYTHON, together], limits=limits)
    return [
        Check("memory", one.ended == "memory", f"ended by {one.ended}"),
        Check("memory_together", many.ended == "memory", f"ended by {many.ended}"),
    ]


def _forks(sandbox: Sandbox) -> list[Check]:
    """As many processes as it can get."""
    code = (
        "import os, time\n"
        "made = 0\n"
        "try:\n"
        "    while made < 500:\n"
        "        if os.fork() == 0: time.sleep(20); os._exit(0)\n"
        "        made += 1\n"
        "except OSError: pass\n"
        "print(made, flush=True)"
    )
    result = sandbox.run({}, [*_PYTHON, code], limits=Limits(processes=16))
    made = int(result.stdout) if result.stdout.strip().isdigit() else 500
    return [Check("fork_bomb", made <= 32, f"{made} processes at a limit of 16")]


def _output(sandbox: Sandbox) -> list[Check]:
    """More output than anybody reads."""
    result = sandbox.run({}, [*_PYTHON, "while True: print('x' * 65536)"], limits=Limits(output=100_000))
    kept = len(result.stdout)
    held = result.ended == "output" and kept <= 100_000
    return [Check("output", held, f"ended by {result.ended} after {kept:,} bytes")]


def _disk(sandbox: Sandbox) -> list[Check]:
    """Files until nothing fits, everywhere."""
    code = (
        "import os, sys\n"
        "total = 0\n"
        "for folder in ('.', '/tmp', '/dev/shm', '/var/tmp', '/run', '/dev', '/'):\n"
        "    for i in range(60):\n"
        "        try:\n"
        "            with open(os.path.join(folder, f'fill{i}'), 'wb', buffering=0) as file:\n"
        "                total += file.write(bytes(2 ** 20))\n"
        "        except OSError: break\n"
        "        print(total, flush=True)\n"
        "import time; time.sleep(0.2)"
    )
    result = sandbox.run({}, [*_PYTHON, code], limits=Limits(disk=8 * _MB))
    total = int((result.stdout.split() or ["0"])[-1])
    held = result.ended == "disk" or 0 < total <= 16 * _MB
    return [Check("disk", held, f"{total / _MB:.0f} MB at a limit of 8 MB, ended by {result.ended}")]


def _command(pid: str) -> str:
    try:
        return Path("/proc", pid, "cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
