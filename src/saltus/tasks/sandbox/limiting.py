"""Limits as the kernel counts them, and the words in front of a command that set them for it."""

from __future__ import annotations

import math
import os

from saltus.tasks.sandbox.base import Limits

_PRLIMIT = "/usr/bin/prlimit"
_SET = (
    "import os, resource, sys\n"
    "for word in sys.argv[1].split():\n"
    "    name, soft, hard = word.split(':')\n"
    "    resource.setrlimit(getattr(resource, 'RLIMIT_' + name), (int(soft), int(hard)))\n"
    "os.execv(sys.argv[2], sys.argv[2:])"
)


def rlimits(limits: Limits, others: int) -> dict[str, tuple[int, int]]:
    """Soft and hard limits by the kernel's names, all of one process but for the number of processes.

    Args:
        limits: What a job may use.
        others: Processes that the kernel counts with the job's.
    """
    cpu = max(1, math.ceil(limits.cpu))
    hard = {
        "AS": limits.memory,
        "NPROC": limits.processes + others,
        "NOFILE": limits.open_files,
        "FSIZE": limits.file,
        "CORE": 0,
        "MEMLOCK": 65536,
        "MSGQUEUE": 0,
    }
    # A program that ignores the first signal is killed a second later.
    return {"CPU": (cpu, cpu + 1)} | {name: (value, value) for name, value in hard.items()}


def limiter(python: str) -> tuple[str, ...]:
    """How limits are set inside: by util-linux's program, else by Python, which is slower."""
    return (_PRLIMIT,) if os.access(_PRLIMIT, os.X_OK) else (python, "-I", "-S", "-c", _SET)


def limited(how: tuple[str, ...], limits: Limits, others: int = 1) -> tuple[str, ...]:
    """The words to put in front of a command: it replaces them, and they cannot be undone."""
    values = rlimits(limits, others)
    if how == (_PRLIMIT,):
        words = [f"--{name.lower()}={soft}:{hard}" for name, (soft, hard) in values.items()]
        return (*how, *words, "--")
    return (*how, " ".join(f"{name}:{soft}:{hard}" for name, (soft, hard) in values.items()))
