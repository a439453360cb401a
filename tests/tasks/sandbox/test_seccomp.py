"""The filter that is handed to the kernel does what the rules say, instruction by instruction."""

from __future__ import annotations

import struct
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.records.errors import SandboxError
from saltus.tasks.sandbox.seccomp import filter_program
from saltus.tasks.sandbox.syscalls import LAST, NAMESPACED, NUMBERS, Rule, shared

ALLOW, KILL = 0x7FFF0000, 0x80000000
X86, ARM = 0xC000003E, 0xC00000B7
RULES = {"namespaced": NAMESPACED, "shared": shared(7, 77), "old": shared(1, 77)}


def run(program: bytes, architecture: int, number: int, arguments: list[int]) -> int:
    """The kernel's BPF machine, as far as the filter uses it."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments)
    code = [struct.unpack("=HBBI", program[i : i + 8]) for i in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        operation, yes, no, constant = code[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, constant)
            case 0x54:
                accumulator &= constant
            case 0x15:
                at += yes if accumulator == constant else no
            case 0x25:
                at += yes if accumulator > constant else no
            case 0x06:
                return constant


def expected(rules: tuple[Rule, ...], column: int, number: int, arguments: list[int]) -> int:
    if number > LAST:
        return 0x00050000 | 38
    for rule in rules:
        if NUMBERS[rule.call][column] == number:
            fine = rule.tests and all(
                (((arguments[test.argument] & test.mask) & 0xFFFFFFFF) in test.values) == test.among
                for test in rule.tests
            )
            return ALLOW if fine else 0x00050000 | rule.error
    return ALLOW


interesting = st.sampled_from(
    [0, 1, 2, 3, 10, 15, 8, 40, 77, 0x541C, 0x5412, 0x10000000, 0x80801, 0x1_0000_0001]
)


@given(
    st.sampled_from(sorted(RULES)),
    st.sampled_from([("x86_64", 0, X86), ("aarch64", 1, ARM)]),
    st.integers(0, 480) | st.sampled_from([2**30 + 41, 2**32 - 1]),
    st.lists(interesting | st.integers(0, 2**64 - 1), min_size=6, max_size=6),
)
def test_the_filter_follows_the_rules(
    name: str, machine: tuple[str, int, int], number: int, arguments: list[int]
) -> None:
    rules = RULES[name]
    program = filter_program(rules, machine[0])
    assert run(program, machine[2], number, arguments) == expected(rules, machine[1], number, arguments)


def test_another_architecture_is_killed() -> None:
    assert run(filter_program(NAMESPACED, "x86_64"), 0x40000003, 1, [0] * 6) == KILL


def test_the_kernel_takes_no_longer_program() -> None:
    for rules in RULES.values():
        assert len(filter_program(rules, "x86_64")) // 8 < 4096


def test_a_call_has_one_rule_and_one_number() -> None:
    for rules in RULES.values():
        assert max(Counter(rule.call for rule in rules).values()) == 1
    for column in (0, 1):
        numbers = [pair[column] for pair in NUMBERS.values() if pair[column] is not None]
        assert max(Counter(numbers).values()) == 1


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(SandboxError, match="riscv64"):
        filter_program(NAMESPACED, "riscv64")
