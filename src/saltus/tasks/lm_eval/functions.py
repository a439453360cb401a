"""Loads the Python functions that a task file names with `!function`, where the user allows it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from saltus.records.errors import InputError
from saltus.records.ids import bytes_hash
from saltus.tasks.lm_eval.definition import Definition, Function

VARIABLE = "SALTUS_TASK_CODE"


def allowed(functions: bool | None) -> bool:
    """Whether code of a task's folder may be run: as the caller says, else as the environment says."""
    return os.environ.get(VARIABLE, "") == "1" if functions is None else functions


def load_function(
    function: Function, definition: Definition, *where: str | int, run: bool
) -> Callable[..., Any]:
    """Load a function from beside the task file, or from an installed package.

    Args:
        function: Which one.
        definition: The file it is named in, for errors.
        where: The key in that file.
        run: Whether code may be run.

    Raises:
        InputError: It may not, or there is no such function.
    """
    if not run:
        raise definition.error(
            f"{where[0]} is !function {function.name}, Python code of this folder, which runs only where you "
            f"allow it; set {VARIABLE}=1, or call read_lm_eval(..., functions=True), if you trust the folder",
            *where,
        )
    module_name, _, name = function.name.rpartition(".")
    if not module_name:
        raise definition.error(
            f"!function is {function.name!r}, a module and a function with a dot between were expected",
            *where,
        )
    try:
        found = getattr(_module(module_name, Path(function.folder)), name)
    except InputError:
        raise
    except Exception as error:  # code of others: whatever goes wrong is the task's
        raise definition.error(
            f"!function {function.name} cannot be loaded ({type(error).__name__}: {error}); mend it, or "
            "install what it imports",
            *where,
        ) from error
    if not callable(found):
        raise definition.error(
            f"!function {function.name} is no function but a {type(found).__name__}", *where
        )
    return found  # type: ignore[no-any-return]


def source_hash(function: Function) -> str:
    """Hash of a function's name and of the file that it stands in."""
    path = _file(function.name.rpartition(".")[0], Path(function.folder))
    return bytes_hash(function.name.encode() + (path.read_bytes() if path.is_file() else b""))


def _file(module: str, folder: Path) -> Path:
    return (folder / f"{module.replace('.', '/')}.py").resolve()


def _module(module: str, folder: Path) -> ModuleType:
    path = _file(module, folder)
    if not path.is_file():
        return importlib.import_module(module)
    content = path.read_bytes()
    digest = hashlib.sha256(str(path).encode() + content).hexdigest()[:16]
    name = f"saltus_task_{path.stem}_{digest}"  # changed code is another module
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no Python module")
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[name] = loaded
        try:
            spec.loader.exec_module(loaded)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
