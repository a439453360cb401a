"""Inside the sandbox: runs the tests in one process and the answer in another, and writes the verdict.

The answer's process starts before anything of the tests is read, holds no file but its end of a connection,
and never sees the verdict's pipe. So whatever it does, it can only fail the tests, or pass them by what it
returns.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import sys
import types
from itertools import pairwise
from typing import Any, NoReturn

from saltus.tasks.code.peer import Peer
from saltus.tasks.code.values import MUTABLE, Lent

_PR_SET_DUMPABLE = 4
_ANSWER, _TESTS = "answer", "__main__"
_PRINTED = 1_000_000  # characters between two messages


def main() -> NoReturn:
    """Read the job from stdin, write the verdict to stdout."""
    sys.set_int_max_str_digits(0)
    sys.setrecursionlimit(5000)  # every call crosses more frames than it does at home
    if os.path.exists("/proc/self"):
        # Where processes can see each other, the kernel keeps this one's memory and files from the other.
        import ctypes  # takes a while, and is not needed elsewhere

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    (answer_reads, tests_write), (tests_read, answer_writes) = os.pipe(), os.pipe()
    if os.fork() == 0:
        _answer_side(answer_reads, answer_writes)
    os.close(answer_reads)
    os.close(answer_writes)
    job = json.load(sys.stdin.buffer)
    verdict = os.dup(1)
    _silence()
    error = _tests_side(job, tests_read, tests_write)
    said = json.dumps({"token": job["token"], "passed": not error, "error": error[:2000]}).encode()
    while said:
        said = said[os.write(verdict, said) :]
    os._exit(0)


def _answer_side(read: int, write: int) -> NoReturn:
    """Let go of everything but the connection, then do what the tests ask."""
    _silence()
    ends = (2, *sorted((read, write)), os.sysconf("SC_OPEN_MAX"))
    for low, high in pairwise(ends):
        os.closerange(low + 1, high)
    peer = Peer(open(read, "rb"), open(write, "wb"), judges=False, module=_ANSWER)  # noqa: SIM115
    printed = io.StringIO()
    sys.stdout = printed
    sys.stdin = _Stdin(peer)

    def take() -> str:
        text = printed.getvalue()[:_PRINTED]
        if text:
            printed.seek(0)
            printed.truncate()
        return text

    peer.printed = take
    peer.actions["load"] = _load
    try:
        peer.serve()
    except BaseException:  # noqa: BLE001 - the tests are over, or the answer broke the connection
        os._exit(0)


def _load(source: str) -> dict[str, Any]:
    """Run the answer's code as a module, and give what it defines."""
    module = types.ModuleType(_ANSWER)
    sys.modules[_ANSWER] = module
    exec(compile(source, _ANSWER, "exec"), module.__dict__)  # noqa: S102 - what the sandbox is for
    return {
        name: Lent(value) if isinstance(value, MUTABLE) else value
        for name, value in vars(module).items()
        if not name.startswith("__")
    }


def _tests_side(job: dict[str, Any], read: int, write: int) -> str:
    """Run the tests; what went wrong, or nothing."""
    peer = Peer(open(read, "rb"), open(write, "wb"), judges=True, module=_TESTS)  # noqa: SIM115
    peer.print = lambda text: sys.stdout.write(text)  # noqa: PLW0108 - the tests may put another one there
    plain_stdin = sys.stdin = io.StringIO()
    plain_input = builtins.input

    def typed() -> str:
        """What the tests would have somebody type."""
        if builtins.input is not plain_input:
            return f"{builtins.input()}\n"
        return sys.stdin.readline() if sys.stdin is not plain_stdin else ""

    peer.actions["input"] = typed
    module = types.ModuleType(_TESTS)
    sys.modules[_TESTS] = module
    try:
        module.__dict__.update(peer.ask("load", job["code"]))
    except Exception as error:  # noqa: BLE001 - the answer's
        return f"the code does not run: {type(error).__name__}: {error}"
    try:
        exec(compile(job["tests"], "tests", "exec"), module.__dict__)  # noqa: S102 - the same
        _run_defined(module.__dict__, job)
    except SystemExit as stop:  # of the tests themselves: the answer's come as another error
        return "" if not stop.code else f"the tests ended with {stop.code}"
    except BaseException as error:  # noqa: BLE001 - all of them fail the tests
        return _describe(error, job["tests"])
    return ""


def _run_defined(names: dict[str, Any], job: dict[str, Any]) -> None:
    """Run what the tests only defined: `check(candidate)`, functions called test_..., unittest's cases."""
    if job["entry_point"] and isinstance(names.get("check"), types.FunctionType):
        if job["entry_point"] not in names:
            raise NameError(f"the code does not define {job['entry_point']}")
        names["check"](names[job["entry_point"]])
    for name, value in list(names.items()):
        if (
            name.startswith("test")
            and isinstance(value, types.FunctionType)
            and not value.__code__.co_argcount
        ):
            value()
    if "unittest" in sys.modules and "unittest.main" not in job["tests"]:
        import unittest

        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules[_TESTS]).run(result)
        if not result.wasSuccessful():
            raise AssertionError([*result.failures, *result.errors][0][1].strip().splitlines()[-1])


def _describe(error: BaseException, tests: str) -> str:
    """The error in one line, with the line of the tests that it stands on."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "tests":
            line = trace.tb_lineno
        trace = trace.tb_next
    lines, text = tests.splitlines(), " ".join(str(error).split())[:500]
    where = f" at line {line} of the tests: {lines[line - 1].strip()[:300]}" if 0 < line <= len(lines) else ""
    return f"{type(error).__name__}{where}{f' ({text})' if text else ''}"


def _silence() -> None:
    """Leave nothing on stdin, stdout and stderr."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    sys.stdout = io.StringIO()
    sys.stderr = io.StringIO()


class _Stdin(io.TextIOBase):
    """What the answer reads from: whatever the tests put there."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return str(self._peer.ask("input"))

    def read(self, size: int | None = -1, /) -> str:
        return "".join(iter(self.readline, ""))

    def readable(self) -> bool:
        return True
