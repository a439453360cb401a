"""What a run may use, and how it is told from one that ended by itself."""

from __future__ import annotations

import signal

import pytest

from saltus.records.errors import UsageError
from saltus.tasks.sandbox import Job, Limits, Sandbox

MB = 1024 * 1024
PYTHON = ("python", "-I", "-S", "-c")


def test_files_input_and_output_go_through(quick: Sandbox) -> None:
    files = {"main.py": "import sys; sys.stdout.write(sys.stdin.read() + open('data/in.bin').read())"}
    result = quick.run(
        {**files, "data/in.bin": b"\xc3\xa9"}, ["python", "-I", "main.py"], stdin="a" * 300_000
    )
    assert (result.stdout, result.stderr, result.exit, result.ended) == ("a" * 300_000 + "é", "", 0, "exit")


@pytest.mark.parametrize(
    ("code", "exit_code", "ended"),
    [
        ("raise SystemExit(3)", 3, "exit"),
        ("import os; os.abort()", 128 + signal.SIGABRT, "signal"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL, "signal"),
        ("import ctypes; ctypes.string_at(1)", 128 + signal.SIGSEGV, "signal"),
        ("b'x' * 10 ** 12", 1, "memory"),
    ],
)
def test_how_it_ended(quick: Sandbox, code: str, exit_code: int, ended: str) -> None:
    result = quick.run({}, [*PYTHON, code])
    assert (result.exit, result.ended) == (exit_code, ended), result


def test_a_command_that_is_not_there_fails_by_itself(quick: Sandbox) -> None:
    result = quick.run({}, ["/usr/bin/not-a-program"])
    assert result.ended == "exit"
    assert result.exit != 0


def test_what_is_not_utf8_is_replaced(quick: Sandbox) -> None:
    result = quick.run({}, [*PYTHON, "import os; os.write(1, b'a\\xffb')"])
    assert result.stdout == "a\ufffdb"


def test_input_that_nobody_reads_does_no_harm(quick: Sandbox) -> None:
    assert quick.run({}, [*PYTHON, "pass"], stdin="x" * 2_000_000).exit == 0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_is_cut(quick: Sandbox, stream: str) -> None:
    code = f"import sys\nwhile True: sys.{stream}.write('x' * 1000)"
    result = quick.run({}, [*PYTHON, code], limits=Limits(output=5000))
    assert result.ended == "output"
    assert getattr(result, stream) == "x" * 5000


@pytest.mark.parametrize("processes", [8, 24])
def test_processes_are_counted(quick: Sandbox, processes: int) -> None:
    code = (
        "import os, time\nmade = 1\n"
        "try:\n"
        "    while True:\n"
        "        if os.fork() == 0: time.sleep(9); os._exit(0)\n"
        "        made += 1\n"
        "except OSError: print(made)"
    )
    result = quick.run({}, [*PYTHON, code], limits=Limits(processes=processes))
    assert processes - 2 <= int(result.stdout) <= processes, result


@pytest.mark.parametrize(("memory", "ended"), [(200, "memory"), (900, "exit")])
def test_memory_of_all_processes_is_added_up(quick: Sandbox, memory: int, ended: str) -> None:
    code = (
        "import os, time\n"
        "for _ in range(5):\n"
        "    if os.fork() == 0: break\n"
        "held = b'x' * (100 * 2 ** 20)\n"
        "time.sleep(0.6)"
    )
    result = quick.run({}, [*PYTHON, code], limits=Limits(memory=memory * MB, disk=MB))
    assert result.ended == ended, result


@pytest.mark.parametrize("disk", [6, 24])
def test_files_of_all_folders_are_added_up(quick: Sandbox, disk: int) -> None:
    code = (
        "import os, time\ntotal = 0\n"
        "for folder in ('.', '/tmp', '/dev/shm', '/dev', '/'):\n"
        "    for i in range(40):\n"
        "        try:\n"
        "            with open(f'{folder}/{i}', 'wb', buffering=0) as file: file.write(bytes(2 ** 20))\n"
        "        except OSError: break\n"
        "        total += 1; print(total, flush=True); time.sleep(0.005)\n"
        "time.sleep(0.3)"
    )
    result = quick.run({}, [*PYTHON, code], limits=Limits(disk=disk * MB))
    assert disk - 2 <= int(result.stdout.split()[-1]) <= disk + 14, result


def test_files_that_were_deleted_and_are_held_open_count(quick: Sandbox) -> None:
    code = (
        "import os, time\nheld = []\n"
        "try:\n"
        "    for i in range(40):\n"
        "        held.append(open(f'{i}', 'wb', buffering=0)); os.unlink(f'{i}')\n"
        "        held[-1].write(bytes(2 ** 20))\n"
        "        print(i, flush=True); time.sleep(0.01)\n"
        "except OSError: pass\n"
        "time.sleep(0.3)"
    )
    result = quick.run({}, [*PYTHON, code], limits=Limits(disk=8 * MB))
    assert int(result.stdout.split()[-1]) < 24, result


def test_one_file_has_a_size(quick: Sandbox) -> None:
    code = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try: open('big', 'wb').write(bytes(3 * 2 ** 20))\n"
        "except OSError as error: print(error.strerror)"
    )
    assert quick.run({}, [*PYTHON, code], limits=Limits(file=2 * MB)).stdout == "File too large\n"
    assert quick.run({}, [*PYTHON, code], limits=Limits(file=4 * MB)).stdout == ""


def test_processor_time_is_limited(any_sandbox: Sandbox) -> None:
    busy = any_sandbox.run({}, [*PYTHON, "while True: pass"], limits=Limits(cpu=1.0, wall=20.0))
    assert (busy.ended, busy.exit) == ("time", 128 + signal.SIGXCPU)


def test_many_run_in_order_and_stop_when_nobody_listens(any_sandbox: Sandbox) -> None:
    taken = []

    def jobs():  # type: ignore[no-untyped-def]
        for i in range(1000):
            taken.append(i)
            yield Job((*PYTHON, f"import time; time.sleep({0.1 if i % 2 else 0}); print({i})"))

    results = any_sandbox.run_many(jobs(), workers=4)
    assert [int(next(results).stdout) for _ in range(10)] == list(range(10))
    results.close()  # type: ignore[attr-defined]
    assert len(taken) < 30


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "", ".", "a//b", "a/", "x\0y", "./a"])
def test_files_lie_in_the_work_folder(any_sandbox: Sandbox, path: str) -> None:
    with pytest.raises(UsageError, match="work folder"):
        any_sandbox.run({path: ""}, ["python"])


def test_a_command_is_needed(any_sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="argv is empty"):
        any_sandbox.run({}, [])
