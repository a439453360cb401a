"""Children that a sandbox's own programs leave behind: taken in, so that none stays a zombie."""

from __future__ import annotations

import contextlib
import ctypes
import os

_PR_SET_CHILD_SUBREAPER = 36


def adopt() -> None:
    """Become the parent of what our children leave behind.

    Otherwise process 1 would, and in a container it often does not look after them.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(pidfd: int) -> None:
    """Take note of the end of such a child, if it has ended and is ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
