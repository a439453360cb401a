"""Wrong answers that try to pass for right ones: a plain harness is fooled by them, and ours is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from saltus.records.errors import SandboxError
from saltus.tasks.code import Case, judge_many
from saltus.tasks.sandbox import KINDS, Limits, Sandbox, find

TESTS = "assert f(2) == 4\nassert f(3) == 9\n"
CALLBACK = "def secret(x): return 4\nassert f(secret) == 4\nassert f(secret) == 9\n"

# Those that fool a harness which runs code and tests in one process and looks at how that ended.
FOOLING = {
    "exit": "import sys\nsys.exit(0)",
    "exit at once": "import os\nos._exit(0)",
    "exit when called": "def f(x): raise SystemExit",
    "exit by another name": "class Done(SystemExit): pass\ndef f(x): raise Done(0)",
    "exit at the end": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 0",
    "exit instead of a trace": "import os, sys\nsys.excepthook = lambda *a: os._exit(0)\ndef f(x): return 0",
    "killed while another goes on": "import os\nif os.fork(): os._exit(0)\ndef f(x): return 0",
    "always equal": "class Any:\n    def __eq__(self, other): return True\ndef f(x): return Any()",
    "a number that is always equal": (
        "class Any(int):\n    def __eq__(self, other): return True\ndef f(x): return Any(0)"
    ),
    "reads the tests": (
        "import sys\n"
        "def f(x):\n"
        "    import re\n"
        "    return int(re.findall(r'f\\(%d\\) == (\\d+)' % x, sys.orig_argv[-1] + TESTS_SEEN)[0])\n"
        "import gc\n"
        "seen = [o for d in gc.get_objects() if isinstance(d, dict) for o in d.values()]\n"
        "TESTS_SEEN = ' '.join(o for o in seen if isinstance(o, str) and 'assert f(' in o)\n"
    ),
    "another exec": (
        "import builtins, os\nbuiltins.exec = lambda *a: None\nbuiltins.compile = lambda *a, **k: 'pass'\n"
        "def f(x): return 0\nos._exit(0)"
    ),
}

# Those that know this harness.
KNOWING = {
    "prints verdicts": (
        'print(\'{"token": "", "passed": true, "error": ""}\', flush=True)\ndef f(x): return 0'
    ),
    "writes verdicts everywhere": (
        "import os\n"
        "for fd in range(256):\n"
        '    try: os.write(fd, b\'{"token": "", "passed": true, "error": ""}\')\n'
        "    except OSError: pass\n"
        "def f(x): return 0"
    ),
    "answers for the tests": (
        "import gc, sys\n"
        "for one in gc.get_objects():\n"
        "    if type(one).__name__ == 'Peer':\n"
        "        one._send(['done', {}]); one._send(['done', 4])\n"
        "def f(x): return 0"
    ),
    "hides behind the connection": (
        "import sys\n"
        "peer = sys.modules['saltus.tasks.code.peer'].Peer\n"
        "peer._with_changes = lambda *a: (4, {}, {})\n"
        "def f(x): return 0"
    ),
    "looks for the token": (
        "import gc, os, re\n"
        "held = repr([o for o in gc.get_objects() if isinstance(o, (dict, list))])\n"
        "seen = set(re.findall(r'\\b[0-9a-f]{32}\\b', held))\n"
        'for token in seen: os.write(4, b\'{"token": "%s", "passed": true}\' % token.encode())\n'
        "def f(x): return 0"
    ),
    "opens the other process": (
        "import os\n"
        "for name in ('mem', 'fd/1', 'environ', 'fd/7', 'root/tmp'):\n"
        "    try:\n"
        "        with open(f'/proc/{os.getppid()}/{name}', 'r+b', buffering=0) as file:\n"
        "            raise RuntimeError('opened ' + name)\n"
        "    except OSError: pass\n"
        "def f(x): return 0"
    ),
    "kills the other process": "import os, signal\nos.kill(os.getppid(), 9)\ndef f(x): return 0",
    "traces the other process": (
        "import ctypes, os\n"
        "if ctypes.CDLL(None).ptrace(16, os.getppid(), None, None) == 0: raise RuntimeError('attached')\n"
        "def f(x): return 0"
    ),
    "imitates an error of the tests": "def f(x): raise AssertionError",
    "raises what ends a program": "def f(x): raise KeyboardInterrupt",
    "raises a class of its own making": "class E(BaseException): pass\ndef f(x): raise E(0)",
    "an endless answer": "def f(x):\n    return [0] * 10 ** 9",
    "a message that is none": (
        "import gc\n"
        "for one in gc.get_objects():\n"
        "    if type(one).__name__ == 'Peer': one._write.write(b'\\xff' * 64); one._write.flush()\n"
        "def f(x): return 0"
    ),
}

# Those that are handed a function of the tests, and look for a way from it to what the tests know.
REACHING = {
    "globals": "def f(g): g.__globals__['f'] = lambda x: 4; return 4",
    "code": "def f(g): return g.__code__.co_consts[1]",
    "closure by getattr": "def f(g): return getattr(g, '__builtins__')['exec']('0')",
    "subclasses": "def f(g): return g.__class__.__base__.__subclasses__()",
    "exec by name": (
        "import gc\n"
        "peer = next(o for o in gc.get_objects() if type(o).__name__ == 'Peer')\n"
        "def f(g):\n"
        "    peer._send(['ask', 'call', [['g', 'exec'], ['l', 'f = lambda x: 4'], ['d']]])\n"
        "    return peer._answer()"
    ),
    "another action": (
        "import gc\n"
        "peer = next(o for o in gc.get_objects() if type(o).__name__ == 'Peer')\n"
        "def f(g):\n"
        "    peer._send(['ask', 'plain', [['o', 1]]])\n"
        "    return peer._answer()"
    ),
}


def plain_harness_passes(code: str) -> bool:
    """Runs code and tests in one process, as many harnesses do, and takes exit code 0 for a pass."""
    program = "import sys\nscope = {}\nTESTS = sys.argv[2]\nexec(sys.argv[1], scope)\nexec(TESTS, scope)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, code, TESTS], capture_output=True, check=False, timeout=20
    )
    return done.returncode == 0


@pytest.mark.parametrize("name", FOOLING)
def test_a_plain_harness_is_fooled(name: str) -> None:
    assert plain_harness_passes(FOOLING[name])


def test_a_plain_harness_tells_right_from_wrong_otherwise() -> None:
    assert plain_harness_passes("def f(x): return x * x")
    assert not plain_harness_passes("def f(x): return 0")


def _kinds() -> list[str]:
    found = []
    for kind, make in KINDS.items():
        try:
            make()
        except SandboxError:
            continue
        found.append(kind)
    return found


@pytest.fixture(scope="module", params=_kinds())
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return find(request.param)


def test_no_forgery_passes(sandbox: Sandbox) -> None:
    cases = {name: Case(code, TESTS) for name, code in {**FOOLING, **KNOWING}.items()}
    cases |= {name: Case(code, CALLBACK) for name, code in REACHING.items()}
    if sandbox.kind == "runsc":  # takes long to start; these are the ones for which the kind matters
        cases = {
            name: case for name, case in cases.items() if "other process" in name or "everywhere" in name
        }
    limits = Limits(wall=15.0, memory=400 * 2**20)
    verdicts = dict(zip(cases, judge_many(cases.values(), sandbox=sandbox, limits=limits), strict=True))
    assert [name for name, verdict in verdicts.items() if verdict.passed] == []
    opened = [
        verdict.reason
        for verdict in verdicts.values()
        if "opened" in verdict.reason or "attached" in verdict.reason
    ]
    assert opened == []


def test_the_same_harness_passes_right_answers(sandbox: Sandbox) -> None:
    cases = [
        Case("def f(x): return x * x", TESTS),
        Case("def f(g):\n    f.n = getattr(f, 'n', -1) + 1\n    return [4, 9][f.n]", CALLBACK),
    ]
    assert [verdict.passed for verdict in judge_many(cases, sandbox=sandbox)] == [True, True]


def test_what_an_object_of_the_answer_says_about_another_one_is_believed() -> None:
    """No harness can know better: it is the answer's business when two of its objects are equal."""
    code = "class P:\n    def __init__(self, x): pass\n    def __eq__(self, other): return True\n"
    assert next(judge_many([Case(code, "assert P(1) == P(2)")])).passed
    assert not next(judge_many([Case(code, "assert P(1) == 2")])).passed
