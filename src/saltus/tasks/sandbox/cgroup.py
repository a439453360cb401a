"""A control group around one run, where this process may make one: the memory of all processes together."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from saltus.tasks.sandbox.base import Limits

_ROOT = Path("/sys/fs/cgroup")


class Group:
    """One group, version 1 (a folder a controller) or version 2 (one folder)."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders

    def add(self, pid: int) -> None:
        """Put a process into it, and all that it will start."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def out_of_memory(self) -> bool:
        """Whether the kernel ended a process in it."""
        for name in ("memory.events", "memory.oom_control"):
            for folder in self._folders:
                with contextlib.suppress(OSError):
                    for line in (folder / name).read_text().splitlines():
                        if line.startswith("oom_kill ") and line.split()[1] != "0":
                            return True
        return False

    def remove(self) -> None:
        """Take it away once it is empty; the kernel takes a moment to see that."""
        for folder in self._folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.002)


class Groups:
    """Makes groups below this process's own, if that is allowed."""

    def __init__(self, root: Path = _ROOT, own: str | None = None) -> None:
        self._parents = _parents(root, own if own is not None else _own())

    @property
    def available(self) -> bool:
        """Whether groups can be made."""
        return bool(self._parents)

    def make(self, limits: Limits) -> Group | None:
        """A group with these limits; None where it cannot be made."""
        name = f"saltus-{os.getpid()}-{secrets.token_hex(4)}"
        # Files in a tmpfs are memory too, and the two limits are apart.
        memory = str(limits.memory + limits.disk)
        folders = []
        try:
            for parent, version in self._parents:
                folder = parent / name
                folder.mkdir()
                folders.append(folder)
                if version == 2:
                    (folder / "memory.max").write_text(memory)
                    with contextlib.suppress(OSError):  # a kernel without swap has no such file
                        (folder / "memory.swap.max").write_text("0")
                    with contextlib.suppress(OSError):
                        (folder / "memory.oom.group").write_text("1")
                else:
                    (folder / "memory.limit_in_bytes").write_text(memory)
        except OSError:
            Group(folders).remove()
            self._parents = []  # it will not be allowed the next time either
            return None
        return Group(folders) if folders else None

    def give_up(self) -> None:
        """Make none from now on: processes may not be put into them."""
        self._parents = []


def _own() -> str:
    try:
        return Path("/proc/self/cgroup").read_text()
    except OSError:
        return ""


def _parents(root: Path, own: str) -> list[tuple[Path, int]]:
    """The folder in which groups are made, and its version; the memory controller is what counts."""
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            for folder in (root / "memory" / path.lstrip("/"), root / "memory"):
                if _ours(folder) and (folder / "memory.limit_in_bytes").exists():
                    return [(folder, 1)]
        elif not controllers:
            for folder in _upwards(root, path):
                if _ours(folder) and _hands_down_memory(folder):
                    return [(folder, 2)]
    return []


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """The own group and those around it."""
    folder = root / path.lstrip("/")
    yield folder
    while folder != root and root in folder.parents:
        folder = folder.parent
        yield folder


def _hands_down_memory(folder: Path) -> bool:
    try:
        return "memory" in (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False


def _ours(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)
