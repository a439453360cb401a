"""Folders of the host that hold a run's files: made for the code's user, and deleted unread afterwards."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from saltus.tasks.sandbox.base import file_bytes


@contextlib.contextmanager
def folder(files: Mapping[str, str | bytes], user: int | None) -> Iterator[str]:
    """A new folder with these files, which nobody else can look into.

    Args:
        files: Content by relative path.
        user: Whose it shall be; this process's own when None.
    """
    made = tempfile.mkdtemp(prefix="saltus-sandbox-")
    try:
        for path, content in files.items():
            file = Path(made, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(file_bytes(content))
        if user is not None:
            for parent, folders, names in os.walk(made):
                for name in (*folders, *names):
                    os.chown(os.path.join(parent, name), user, user)
            os.chown(made, user, user)
        yield made
    finally:
        delete(made)


def delete(made: str) -> None:
    """Delete a folder however deep it is, links not followed.

    Code may have taken the rights to its own folders away, which `rm` of an ordinary user minds.
    """
    for command in (["rm", "-rf"], ["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        if os.path.lexists(made):
            subprocess.run([*command, "--", made], stderr=subprocess.DEVNULL, check=False)
