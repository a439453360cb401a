"""Hands some of Saltus's own modules to a plain Python, as one text that needs no file and no package."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from saltus.records.errors import SandboxError

_BOOT = """
import sys, types
for name, text in {texts!r}.items():
    package, _, _ = name.rpartition(".")
    while package and package not in sys.modules:
        sys.modules[package] = types.ModuleType(package)
        package, _, _ = package.rpartition(".")
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main()
"""


def program(modules: Sequence[str]) -> str:
    """A program for `python -c` that stands modules up under their names and calls the last one's `main`.

    Args:
        modules: In an order in which each imports only those before it, and otherwise Python's own.

    Raises:
        SandboxError: A module has no source file to hand over.
    """
    texts = {}
    for name in modules:
        spec = find_spec(name)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            raise SandboxError(f"{name} has no source file; install Saltus as plain files, as pip does")
        texts[name] = Path(spec.origin).read_text(encoding="utf-8")
    return _BOOT.format(texts=texts)
