"""What a process and everything below it use: memory, files, and files that have no name any more."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence


def descendants(pid: int) -> list[int]:
    """A process and all that come from it, as far as they are still there."""
    found = [pid]
    for one in found:  # grows as it goes
        found += _children(one)
    return found


def memory(pids: Sequence[int], limit: int) -> int:
    """Bytes of memory of all of them, without the files that they map.

    Pages that they share count for each, unless that would be over the limit: then they are looked at one by
    one, which takes the kernel longer.
    """
    total = sum(_kilobytes(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:")) for pid in pids)
    if total * 1024 > limit and len(pids) > 1:
        total = sum(_kilobytes(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:")) for pid in pids)
    return total * 1024


def deleted_files(pids: Sequence[int]) -> int:
    """Bytes on disk of files that have no name any more and are held open."""
    sizes: dict[tuple[int, int], int] = {}
    for pid in pids:
        for fd in _names(f"/proc/{pid}/fd"):
            try:
                stat = os.stat(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue
            if stat.st_nlink == 0:
                sizes[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
    return sum(sizes.values())


def folder_size(path: str) -> int:
    """Bytes on disk of everything under a folder; links are not followed."""
    total = 0
    waiting = [path]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue  # gone meanwhile, or a name too long to follow
    return total


def _children(pid: int) -> Iterator[int]:
    for thread in _names(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                yield from map(int, file.read().split())
        except OSError:
            continue


def _kilobytes(path: str, names: tuple[bytes, ...]) -> int:
    try:
        with open(path, "rb") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(names))
    except OSError:
        return 0  # it has ended


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
