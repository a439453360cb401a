"""Who the code in a sandbox is and what runs it: a user without rights, a Python that it can read."""

from __future__ import annotations

import itertools
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from saltus.records.errors import SandboxError

# The range that systemd keeps for users who live as long as one process; it is inside what containers map.
_FIRST, _LAST = 61184, 65519
_users = itertools.count(secrets.randbelow(_LAST - _FIRST + 1))
_SAY = (
    "import sys; print('.'.join(map(str, sys.version_info[:3])), sys.executable, sys.base_prefix, sep='\\n')"
)


class Interpreter(msgspec.Struct, frozen=True):
    """A Python that the code's user can start.

    Attributes:
        path: The program itself, no link.
        prefix: The folder with its library.
        version: Such as "3.11.7".
    """

    path: str
    prefix: str
    version: str


def nobody() -> dict[str, Any]:
    """Arguments for `subprocess.Popen` that take root's rights away.

    Root's processes become a user of their own, another one each time, so that files, signals and limits
    hold for root as for everybody else. An ordinary user's processes stay that user's, and so do those of
    the root of a user namespace that knows no other users: outside of it that is an ordinary user.
    """
    if os.geteuid() != 0 or _only_root_here():
        return {}
    user = _FIRST + next(_users) % (_LAST - _FIRST + 1)
    return {"user": user, "group": user, "extra_groups": []}


def find_interpreter() -> Interpreter:
    """The Python that Saltus runs on, or where the code's user may not read it, the system's.

    Raises:
        SandboxError: None can be started.
    """
    seen = []
    for path in dict.fromkeys(_candidates()):
        try:
            said = subprocess.run(
                [path, "-I", "-S", "-c", _SAY],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env={},
                cwd="/",
                timeout=20,
                check=True,
                **nobody(),
            ).stdout.splitlines()
            return Interpreter(os.path.realpath(path), said[2], said[0])
        except (OSError, subprocess.SubprocessError, IndexError) as error:
            seen.append(f"{path} ({type(error).__name__})")
    raise SandboxError(
        f"no Python can be started by a user without rights, tried {', '.join(seen)}; install one in /usr, "
        "such as Debian's python3"
    )


@cache
def _only_root_here() -> bool:
    """Whether this is a user namespace without other users, whose root is somebody else outside."""
    with open("/proc/self/uid_map") as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    others = any(inside <= _FIRST and inside + count > _LAST for inside, _, count in ranges)
    return not others and all(outside != 0 for inside, outside, _ in ranges if inside == 0)


def _candidates() -> Iterator[str]:
    own = getattr(sys, "_base_executable", sys.executable)
    for path in (own, "/usr/bin/python3", "/usr/local/bin/python3"):
        if path and os.path.exists(path):
            yield os.path.realpath(path)
