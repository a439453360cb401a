"""Right code passes, wrong code fails, whatever shape the tests have. Each case runs in a real sandbox."""

from __future__ import annotations

import msgspec
import pytest

from saltus.tasks.code import Case, judge, judge_many
from saltus.tasks.sandbox import Limits

SQUARE = "def f(x):\n    return x * x\n"
WRONG = "def f(x):\n    return x + x\n"

UNITTEST = (
    "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f(3), 9)\n"
)

IMPORTS = "import collections, datetime, decimal, fractions\n"
VALUES = (
    "None, True, 1.5, float('inf'), 10 ** 5000, -0.0, 1j, b'a', bytearray(b'b'), 'ü\\ud800', (1,), {1}, "
    "frozenset({2}), {(1, 2): [3]}, range(3), slice(1, 2), ..., collections.deque([1]), int, ValueError, "
    "fractions.Fraction(1, 3), decimal.Decimal('1.50'), datetime.date(2020, 1, 2), datetime.timedelta(1)"
)

STACK = """
class Empty(ValueError):
    pass

class Stack:
    def __init__(self):
        self.items = []
        self.grid = [[0, 0], [0, 0]]
    def push(self, x):
        self.items.append(x)
        return self
    def pop(self):
        if not self.items:
            raise Empty("nothing there")
        return self.items.pop()
    def __len__(self):
        return len(self.items)
    def __eq__(self, other):
        return self.items == other.items
    def __repr__(self):
        return f"Stack({self.items})"
    def __iter__(self):
        return iter(self.items)
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self.items.clear()
"""

RIGHT = {
    "assertions": Case(SQUARE, "assert f(2) == 4\nassert f(-3) == 9"),
    "check": Case(SQUARE, "def check(candidate):\n    assert candidate(3) == 9", "f"),
    "pytest": Case(SQUARE, "def test_f():\n    assert f(3) == 9"),
    "unittest": Case(
        SQUARE,
        UNITTEST,
    ),
    "unittest.main": Case(
        SQUARE,
        UNITTEST + "if __name__ == '__main__':\n    unittest.main()\n",
    ),
    "values": Case(
        f"{IMPORTS}def f(): return [{VALUES}, collections.Counter('aab'), collections.OrderedDict(a=1)]",
        f"{IMPORTS}assert f() == [{VALUES}, {{'a': 2, 'b': 1}}, {{'a': 1}}]\n"
        "assert type(f()[1]) is bool and type(f()[10]) is tuple",
    ),
    "objects": Case(
        STACK,
        "s = Stack()\ns.push(1).push(2)\n"
        "assert len(s) == 2 and s.items == [1, 2] and [2, 1] != s.items\n"
        "s.items.append(5)\ns.grid[0][1] = 7\n"
        "assert s.grid == [[0, 7], [0, 0]] and s.pop() == 5 and list(s) == [1, 2]\n"
        "assert isinstance(s, Stack) and isinstance(s.items, list) and not isinstance(s, dict)\n"
        "assert s == Stack().push(1).push(2) and s != Stack() and repr(s) == 'Stack([1, 2])'\n"
        "with s as again: assert again == s\n"
        "s.name = 'x'\nassert s.name == 'x' and hasattr(s, 'name') and not hasattr(s, 'other')\n"
        "try:\n    s.pop()\nexcept Empty as error:\n    assert str(error) == 'nothing there'\n"
        "else:\n    assert False\n"
        "try:\n    s.pop()\nexcept ValueError:\n    pass",
    ),
    "descendants of plain types": Case(
        "from enum import IntEnum\nfrom typing import NamedTuple\n"
        "class Level(IntEnum):\n    LOW = 1\n"
        "class Point(NamedTuple):\n    x: int\n    y: int = 0\n"
        "class Bag(list):\n    def total(self): return sum(self)\n",
        "assert Level.LOW == 1 and Level.LOW.name == 'LOW'\n"
        "assert Point(1) == (1, 0) and Point(1).x == 1\n"
        "b = Bag([1, 2])\nassert b == [1, 2] and b.total() == 3 and len(b) == 2 and b[0] == 1",
    ),
    "operators": Case(
        "class V:\n"
        "    def __init__(self, x): self.x = x\n"
        "    def __add__(self, o): return V(self.x + o.x)\n"
        "    def __mul__(self, k): return V(self.x * k)\n"
        "    __rmul__ = __mul__\n"
        "    def __eq__(self, o): return self.x == o.x\n"
        "    def __lt__(self, o): return self.x < o.x\n"
        "    def __hash__(self): return hash(self.x)\n"
        "    def __getitem__(self, i): return self.x * i\n"
        "    def __contains__(self, i): return i == self.x\n"
        "    def __bool__(self): return self.x != 0\n"
        "    def __float__(self): return float(self.x)\n",
        "assert V(1) + V(2) == V(3) and 2 * V(3) == V(3) * 2 == V(6) and V(1) < V(2)\n"
        "assert V(2)[4] == 8 and 5 in V(5) and not V(0) and float(V(2)) == 2.0\n"
        "assert len({V(1), V(1), V(2)}) == 2 and sorted([V(3), V(1)])[0] == V(1)",
    ),
    "arguments changed in place": Case(
        "def f(xs, d, grid, *, s):\n    xs.sort(); d['k'] = 1; grid[0].append(9); s.add(3); return None",
        "xs, d, grid, s = [3, 1], {}, [[1], [2]], {1}\nrow = grid[0]\n"
        "assert f(xs, d, grid, s=s) is None\n"
        "assert xs == [1, 3] and d == {'k': 1} and grid == [[1, 9], [2]] and s == {1, 3} and row == [1, 9]",
    ),
    "functions of the tests": Case(
        "import functools\n"
        "def apply(g, xs): return [g(x) for x in xs]\n"
        "def memo(g):\n    kept = {}\n    @functools.wraps(g)\n    def inner(*a):\n"
        "        if a not in kept: kept[a] = g(*a)\n        return kept[a]\n    return inner\n"
        "def total(it): return sum(it)\n"
        "def name_of(p): return p.name.upper()\n"
        "def guarded(g):\n    try: return g()\n    except KeyError as error: return error.args[0]\n",
        "assert apply(lambda x: x + 1, [1, 2]) == [2, 3]\n"
        "assert apply(str, [1]) == ['1'] and apply(len, ['ab']) == [2]\n"
        "calls = []\n@memo\ndef g(x):\n    calls.append(x)\n    return x\n"
        "assert g(1) == g(1) == 1 and calls == [1] and g.__name__ == 'g'\n"
        "assert total(x for x in range(4)) == 6\n"
        "class Person:\n    def __init__(self, name): self.name = name\n"
        "assert name_of(Person('ann')) == 'ANN'\n"
        "def fail(): raise KeyError('k')\nassert guarded(fail) == 'k'",
    ),
    "generators": Case(
        "def f(n):\n    for i in range(n):\n        yield i\n",
        "assert list(f(3)) == [0, 1, 2] and next(f(1)) == 0 and sum(f(4)) == 6\n"
        "it = f(1)\nnext(it)\ntry: next(it)\nexcept StopIteration: pass\nelse: assert False",
    ),
    "input and output": Case(
        "def f():\n    name = input('who? ')\n    print('hello', name)\n",
        "import contextlib, io, sys\nfrom unittest import mock\n"
        "out = io.StringIO()\nsys.stdin = io.StringIO('you\\n')\n"
        "with contextlib.redirect_stdout(out): f()\n"
        "assert out.getvalue() == 'who? hello you\\n', out.getvalue()\n"
        "again = io.StringIO()\n"
        "with mock.patch('builtins.input', lambda *a: 'me'), contextlib.redirect_stdout(again): f()\n"
        "assert again.getvalue().endswith('hello me\\n')",
    ),
    "modules and constants of the answer": Case(
        "import math\nLIMIT = 7\nTABLE = {'a': 1}\ndef f(): return math.pi",
        "assert f() == math.pi and LIMIT == 7 and TABLE['a'] == 1",
    ),
    "demo code is not run": Case(
        SQUARE + "if __name__ == '__main__':\n    raise SystemExit(1)\n", "assert f(2) == 4"
    ),
    "deep recursion": Case("def f(n): return 0 if n == 0 else 1 + f(n - 1)", "assert f(900) == 900"),
    "errors of Python": Case(
        "import json\ndef f(x):\n    return json.loads(x)\ndef g(): return open('nothing')\n",
        "try: f('{')\nexcept ValueError: pass\nelse: assert False\n"
        "try: g()\nexcept FileNotFoundError: pass\nelse: assert False",
    ),
    "an object that contains itself": Case(
        "def f():\n    x = [1]\n    x.append(x)\n    return x", "assert len(f()) == 2 and f()[0] == 1"
    ),
}


def test_right_code_passes() -> None:
    verdicts = dict(zip(RIGHT, judge_many(RIGHT.values()), strict=True))
    assert {name: verdict.reason for name, verdict in verdicts.items() if not verdict.passed} == {}


WRONG_CASES = {
    "AssertionError at line 2 of the tests: assert f(3) == 9": Case(
        WRONG, "assert f(2) == 4\nassert f(3) == 9"
    ),
    "AssertionError at line 1 of the tests: assert f(3) == 9, f(3) (6)": Case(
        WRONG, "assert f(3) == 9, f(3)"
    ),
    "the code does not run: SyntaxError: '(' was never closed (answer, line 1)": Case("def f(", "f()"),
    "the code does not run: ZeroDivisionError: division by zero": Case("1 / 0", "pass"),
    "NameError at line 1 of the tests: assert f(1) (name 'f' is not defined)": Case(
        "def g(): pass", "assert f(1)"
    ),
    "NameError (the code does not define f)": Case("def g(): pass", "def check(c): pass", "f"),
    "AssertionError (AssertionError: 6 != 9)": msgspec.structs.replace(RIGHT["unittest"], code=WRONG),
    "the tests ended with True": msgspec.structs.replace(RIGHT["unittest.main"], code=WRONG),
    "AssertionError at line 3 of the tests: assert f(3) == 9": Case(
        WRONG, "\ndef test_f():\n    assert f(3) == 9"
    ),
}


def test_wrong_code_fails_and_says_where() -> None:
    verdicts = list(judge_many(WRONG_CASES.values()))
    assert [verdict.passed for verdict in verdicts] == [False] * len(verdicts)
    assert [verdict.reason for verdict in verdicts] == list(WRONG_CASES)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("while True: pass", "no verdict within 1.5 s"),
        ("def f(x):\n    while True: pass", "no verdict within 1.5 s"),
        ("held = []\nwhile True: held.append(bytearray(10 ** 6))", "MemoryError"),
        ("import os\nos.write(1, b'x' * 10 ** 7)\ndef f(x): return x * x", ""),
    ],
)
def test_what_goes_on_and_on_is_ended(code: str, reason: str) -> None:
    verdict = judge(Case(code, "assert f(2) == 4"), limits=Limits(wall=1.5, memory=200 * 2**20))
    assert reason in verdict.reason
    assert verdict.passed == (reason == "")
