"""Files that appear whole or not at all: written under a hidden name, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a hidden path to write to; it becomes `path` when the `with` block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield hidden
        os.replace(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)


def file_name(text: str) -> str:
    """A name of a model, task or date as a part of a file name.

    Examples:
        >>> file_name("EleutherAI/pythia-70m@step3000")
        'EleutherAI__pythia-70m@step3000'
    """
    kept = "".join(sign if sign.isalnum() or sign in "-_.@=+" else "_" for sign in text.replace("/", "__"))
    return kept.lstrip(".")[:120] or "_"
