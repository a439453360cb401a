"""Suites in Python: `@task` on a function that returns a `Task`, or that gives items one by one."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, overload

import msgspec

from saltus.records.errors import InputError, SaltusError, UsageError
from saltus.records.evidence import Sample
from saltus.tasks.suites.arguments import bind_arguments, parameters_of
from saltus.tasks.suites.parse import parse_settings
from saltus.tasks.suites.problems import Fault, Report, did_you_mean, shown, stop_at_first
from saltus.tasks.suites.reader import ItemsOnly, make_task
from saltus.tasks.suites.reading import ItemReader
from saltus.tasks.task import Task

Found = tuple[Task, ItemReader | None]
_ENCODER = msgspec.json.Encoder(order="deterministic")


class TaskFunction:
    """A function that `@task` stands on. Calling it gives the `Task`.

    Attributes:
        name: Of the task.
        path: File it is written in.
        line: Of its `def`.
    """

    def __init__(self, function: Callable[..., Any], name: str, settings: dict[str, Any]) -> None:
        self._function = function
        self.name = name or function.__name__
        self.path = function.__code__.co_filename
        self.line = function.__code__.co_firstlineno
        self.__doc__ = function.__doc__
        self.__name__, self.__module__ = function.__name__, function.__module__
        self._settings = parse_settings(settings, ItemsOnly(self.path, self.line), stop_at_first)

    def __call__(self, *args: Any, **kwargs: Any) -> Task:
        """The task, made with these arguments.

        Raises:
            InputError: The function fails, or gives something else; with the line.
        """
        made = self._make(lambda: self._function(*args, **kwargs), stop_at_first)
        assert made is not None  # noqa: S101 - the first fault was raised
        return made[0]

    def takes(self, name: str) -> bool:
        """Whether it has a parameter of this name."""
        return name in parameters_of(self._function)

    def make(self, arguments: Mapping[str, Any], report: Report) -> Found | None:
        """The task, made with arguments from the command line, and the reader of its items if they are ours.

        Raises:
            UsageError: The arguments do not fit.
        """
        given = bind_arguments(self._function, arguments, f"task {self.name} of {self.path}")
        return self._make(lambda: self._function(**given), report)

    def _make(self, call: Callable[[], Any], report: Report) -> Found | None:
        try:
            with blamed(self.path):
                found = call()
            if isinstance(found, Task):
                return msgspec.structs.replace(found, items=_Guarded(found.items, self.path)), None
            if not isinstance(found, Iterable) or isinstance(found, str | bytes | Mapping):
                raise Fault(
                    f"task {self.name} gives {shown(found)}, a Task or its items were expected; return a "
                    "saltus.Task, or yield samples or mappings"
                ).at(self.path, self.line)
        except InputError as error:
            report(error)
            return None
        settings = self._settings
        if not settings.description and self.__doc__:
            summary = self.__doc__.strip().splitlines()[0]
            settings = msgspec.structs.replace(settings, description=summary)
        part = _FunctionPart(self.path, call)
        return make_task(self.name, settings, part, ItemsOnly(self.path, self.line), (), report)


@overload
def task(function: Callable[..., Any]) -> TaskFunction: ...
@overload
def task(*, name: str = "", **settings: Any) -> Callable[[Callable[..., Any]], TaskFunction]: ...
def task(
    function: Callable[..., Any] | None = None, *, name: str = "", **settings: Any
) -> TaskFunction | Callable[[Callable[..., Any]], TaskFunction]:
    r"""Make a task of a function that returns a `Task`, or that gives its items.

    Items are samples, or mappings such as `{"input": "1+1=", "target": "2"}`. The function's
    parameters can be given on the command line with `-T`. It is called anew each time the items are read,
    so what it draws at random needs a seed.

    Args:
        function: When the decorator stands without brackets.
        name: Of the task; the function's when left out.
        settings: As in a suite file: kind, metrics, prompt, delimiter, max_tokens, stop, few_shot, ...

    Raises:
        InputError: A setting does not exist, or has a wrong value.

    Examples:
        >>> @task(prompt="{input}=", stop=["\n"])
        ... def sums(n: int = 3):
        ...     for i in range(n):
        ...         yield {"input": f"{i}+{i}", "target": str(2 * i)}
        >>> [sample.input for sample in sums(n=2).items()]
        ['0+0=', '1+1=']
    """
    if function is not None:
        return TaskFunction(function, name, settings)
    return lambda function: TaskFunction(function, name, settings)


def read_python(path: Path, name: str, arguments: Mapping[str, Any], report: Report) -> list[Found]:
    """Run a file and make its tasks.

    Args:
        path: The file. Its folder is added to `sys.path`, so that it can import what lies beside it.
        name: The one task to make; all when empty.
        arguments: For the tasks; where there are several, each gets those that it takes.
        report: Told of every fault.

    Raises:
        UsageError: There is no such task, or none takes an argument.
        InputError: The file cannot be run; with the line.
    """
    tasks = _tasks_in(path)
    if not tasks:
        raise InputError(
            "there are no tasks here; put @saltus.task on a function that yields items", path=str(path)
        )
    if name and name not in tasks:
        raise UsageError(f"{path} has no task {name!r}; {did_you_mean(name, tasks)}", field="task")
    chosen = [tasks[name]] if name else list(tasks.values())
    lost = [key for key in arguments if not any(one.takes(key) for one in chosen)]
    if lost and len(chosen) > 1:
        raise UsageError(f"no task of {path} takes an argument {lost[0]!r}", field="-T")
    made = []
    for one in chosen:
        given = {key: value for key, value in arguments.items() if len(chosen) == 1 or one.takes(key)}
        found = one.make(given, report)
        if found is not None:
            made.append(found)
    return made


def uses_inspect(path: Path) -> bool:
    """Whether a file puts `@task` of Inspect on a function."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return False
    modules, names = {"inspect_ai"}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {one.asname for one in node.names if one.name == "inspect_ai" and one.asname}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "inspect_ai":
            names |= {one.asname or one.name for one in node.names if one.name == "task"}
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", ()):
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(called, ast.Name) and called.id in names:
                return True
            if isinstance(called, ast.Attribute) and called.attr == "task":
                owner = called.value
                if isinstance(owner, ast.Name) and owner.id in modules:
                    return True
    return False


class blamed:  # noqa: N801 - it reads as `with blamed(path):`
    """Turns whatever a user's code raises into one sentence with file and line.

    Args:
        path: The user's file; the error is placed at its innermost line there.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise the sentence instead."""
        if error is None or isinstance(error, SaltusError | KeyboardInterrupt | GeneratorExit):
            return
        line = _line_in(self._path, error, trace)
        reason = " ".join(str(getattr(error, "msg", error)).split())
        what = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
        raise InputError(
            f"this file cannot be run ({what}); mend this line", path=self._path, line=line
        ) from error


class _FunctionPart:
    """What a function yields, as a source of items."""

    unit = "item"
    encoded = lax = foreign = False

    def __init__(self, path: str, call: Callable[[], Any]) -> None:
        self.path, self._call = path, call

    def rows(self) -> Iterator[tuple[int, Any]]:
        with blamed(self.path):
            yield from enumerate(self._call(), 1)

    def digest(self) -> str:
        found = hashlib.sha256()
        for number, row in self.rows():
            item = msgspec.structs.replace(row, task="", task_version="") if isinstance(row, Sample) else row
            try:
                found.update(_ENCODER.encode(item))
            except (TypeError, ValueError, RecursionError) as error:
                raise InputError(
                    f"item {number}: this is no item ({error}); yield mappings of text, numbers and lists, "
                    "or saltus.Sample",
                    path=self.path,
                ) from error
        return found.hexdigest()[:32]


class _Guarded:
    """The items of a task from a user's file; what goes wrong in them is said with its line."""

    def __init__(self, items: Callable[[], Iterable[Sample]], path: str) -> None:
        self._items, self._path = items, path

    def __call__(self) -> Iterator[Sample]:
        with blamed(self._path):
            yield from self._items()


def _tasks_in(path: Path) -> dict[str, TaskFunction]:
    where = str(path.resolve())
    if not path.is_file():
        raise InputError("this file is not there; check the path", path=str(path))
    name = f"saltus_suite_{path.stem}_{hashlib.sha256(where.encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, where)
    assert spec is not None  # noqa: S101 - the name ends in .py
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look for it there
    if str(path.resolve().parent) not in sys.path:
        sys.path.append(str(path.resolve().parent))
    with blamed(where):
        spec.loader.exec_module(module)
    ours = [one for one in vars(module).values() if isinstance(one, TaskFunction) and one.path == where]
    ours.sort(key=lambda one: one.line)
    tasks: dict[str, TaskFunction] = {}
    for one in ours:
        if one.name in tasks and tasks[one.name] is not one:
            raise InputError(
                f"two tasks are called {one.name!r}, the first in line {tasks[one.name].line}; rename one",
                path=str(path),
                line=one.line,
            )
        tasks[one.name] = one
    return tasks


def _line_in(path: str, error: BaseException, trace: TracebackType | None) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
