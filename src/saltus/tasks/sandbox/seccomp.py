"""A seccomp filter: rules about system calls become a program for the kernel's BPF machine."""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Sequence

from saltus.records.errors import SandboxError
from saltus.tasks.sandbox.syscalls import LAST, Rule, Test, numbers

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of the table, AUDIT_ARCH
_LOAD, _AND, _EQUAL, _GREATER, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant


def filter_program(rules: Sequence[Rule], machine: str | None = None) -> bytes:
    """The filter: what a rule names fails with its error, what no rule names goes through.

    Args:
        rules: At most one a system call.
        machine: As `uname -m` says it; this one by default.

    Returns:
        An array of `struct sock_filter`.

    Raises:
        SandboxError: The machine's system calls are not known here.
    """
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        raise SandboxError(
            f"system calls of a {machine} are not known, those of {' and '.join(_MACHINES)} are; "
            "score code there"
        )
    column, architecture = _MACHINES[machine]
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),  # a 32-bit program has other numbers
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER, 0, 1, LAST),  # also catches x32, whose numbers have bit 30 set
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for number, rule in numbers(rules, column):
        block = _block(rule)
        program += [(_EQUAL, 0, len(block), number), *block]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _block(rule: Rule) -> list[Instruction]:
    """What is done once the call is known: every test that does not hold jumps to the refusal at the end."""
    deny = (_RETURN, 0, 0, _ERRNO | rule.error)
    if not rule.tests:
        return [deny]
    sizes = [len(_test(test, 0)) for test in rule.tests]
    block: list[Instruction] = []
    for i, test in enumerate(rule.tests):
        behind = (
            sum(sizes[i + 1 :]) + 1
        )  # the other tests and the "allow" lie between this test and the refusal
        block += _test(test, behind)
    return [*block, (_RETURN, 0, 0, _ALLOW), deny]


def _test(test: Test, behind: int) -> list[Instruction]:
    """Falls through where the test holds, else jumps over what lies behind it."""
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * test.argument),
        (_AND, 0, 0, test.mask),
    ]
    count = len(test.values)
    for i, value in enumerate(test.values):
        left = count - 1 - i
        if not test.among:
            lines.append((_EQUAL, left + behind, 0, value))
        elif left:
            lines.append((_EQUAL, left, 0, value))  # jumps behind the last comparison
        else:
            lines.append((_EQUAL, 0, behind, value))
    return lines
