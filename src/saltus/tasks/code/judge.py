"""Runs answers' code against tests, each in a sandbox of its own, and says which pass."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from functools import cache

import msgspec

from saltus.tasks.sandbox import Job, Limits, Result, Sandbox, find
from saltus.tasks.sandbox.boot import program

_INSIDE = ("values", "remote", "peer", "inside")
LIMITS = Limits(wall=20.0, cpu=15.0)


class Case(msgspec.Struct, frozen=True):
    """Code, and the tests that it must pass.

    Attributes:
        code: Python that defines what the tests call.
        tests: Python that raises where the code is wrong: assertions, a function `check(candidate)`,
            functions called test_..., or unittest's cases.
        entry_point: The name that `check` is given.
    """

    code: str
    tests: str
    entry_point: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """Whether code passed.

    Attributes:
        passed: All tests ran to their end, and none failed.
        reason: Why not: the line of the tests that failed, or the limit that was reached.
    """

    passed: bool
    reason: str = ""


def judge(case: Case, *, sandbox: Sandbox | None = None, limits: Limits = LIMITS) -> Verdict:
    """Judge one case.

    Args:
        case: Code and tests.
        sandbox: Where it runs; the first kind that works here when None.
        limits: What it may use.

    Raises:
        SandboxError: No sandbox works here.
    """
    return next(judge_many([case], sandbox=sandbox, limits=limits))


def judge_many(
    cases: Iterable[Case],
    *,
    sandbox: Sandbox | None = None,
    limits: Limits = LIMITS,
    workers: int | None = None,
) -> Iterator[Verdict]:
    """Judge many cases, several at a time.

    Args:
        cases: Code and tests, taken only as fast as they are run.
        sandbox: Where they run; the first kind that works here when None.
        limits: What each may use.
        workers: At a time; by default as many as there are processors to use.

    Yields:
        Verdicts in the order of the cases.

    Raises:
        SandboxError: No sandbox works here.
    """
    where = sandbox or find()
    tokens: list[str] = []

    def jobs() -> Iterator[Job]:
        for case in cases:
            tokens.append(secrets.token_hex(16))
            job = {**msgspec.to_builtins(case), "token": tokens[-1]}
            yield Job(("python", "-I", "-S", "-c", _program()), stdin=json.dumps(job), limits=limits)

    for i, result in enumerate(where.run_many(jobs(), workers)):
        yield _verdict(result, tokens[i], limits)


def _verdict(result: Result, token: str, limits: Limits) -> Verdict:
    """Only what the tests' process wrote counts, and it wrote the token that only it was told."""
    try:
        said = json.loads(result.stdout)
    except json.JSONDecodeError:
        said = None
    if isinstance(said, dict) and said.get("token") == token:
        return Verdict(said.get("passed") is True, str(said.get("error", "")))
    match result.ended:
        case "time":
            return Verdict(False, f"no verdict within {limits.wall:g} s")
        case "exit" | "signal":
            lines = result.stderr.strip().splitlines()
            return Verdict(
                False, f"no verdict, exit code {result.exit}" + (f": {lines[-1]}" if lines else "")
            )
        case limit:
            return Verdict(False, f"the limit of {limit} was reached")


@cache
def _program() -> str:
    return program([f"saltus.tasks.code.{name}" for name in _INSIDE])
