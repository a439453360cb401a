"""Code tries to get out. Attempts are shown to succeed outside, so that a refusal inside means something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from saltus.tasks.sandbox import Limits, Sandbox, probes
from saltus.tasks.sandbox.targets import targets

# What does no harm to this machine when it succeeds.
HARMLESS = [
    "tcp",
    "udp",
    "abstract_socket",
    "file_socket",
    "read_secret",
    "read_through_link",
    "list_home",
    "list_current",
    "write_outside",
    "truncate",
    "change_mode",
    "environment",
    "host_environment",
    "kill",
    "trace",
    "raise_limit",
    "inherited_files",
]
PYTHON = ("python", "-I", "-S", "-c")


def test_every_attempt_is_held(sandbox: Sandbox) -> None:
    test = sandbox.self_test()
    assert test.broken == ()
    assert set(probes.ATTEMPTS) < {check.name for check in test.checks}


def test_the_same_attempts_succeed_without_a_sandbox(tmp_path: Path) -> None:
    with targets() as (given, harm), open(os.devnull, "rb") as inherited:
        done = subprocess.run(
            [sys.executable, "-I", "-S", probes.__file__],
            input=json.dumps({**given, "attempts": HARMLESS}),
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={"SALTUS_SECRET": "1"},
            pass_fds=[inherited.fileno()],
        )
        said = json.loads(done.stdout)
        assert {name: one["seen"] for name, one in said.items() if not one["escaped"]} == {}
        assert set(said) == set(HARMLESS)
        deadline = time.monotonic() + 5
        while not harm()["kill"] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert harm() == {"write_outside": True, "truncate": True, "change_mode": True, "kill": True}


@pytest.fixture
def treasure() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="saltus-treasure-") as folder:
        os.chmod(folder, 0o777)  # noqa: S103
        Path(folder, "gold").write_text("gold")
        os.chmod(Path(folder, "gold"), 0o666)  # noqa: S103
        yield Path(folder)


def test_links_that_code_leaves_behind_lead_nowhere(sandbox: Sandbox, treasure: Path) -> None:
    code = (
        "import os, sys\n"
        "target = sys.argv[1]\n"
        "os.symlink(target, 'folder'); os.symlink(target + '/gold', 'file'); os.symlink('..', 'up')\n"
        "os.makedirs('a/b'); os.symlink(target, 'a/b/deep')\n"
        "try: os.link(target + '/gold', 'hard')\n"
        "except OSError as error: print('hard link refused')\n"
        "for name in ('folder/new', 'file', 'a/b/deep/gold'):\n"
        "    try: open(name, 'w').write('lead')\n"
        "    except OSError as error: print('refused')\n"
    )
    result = sandbox.run({}, [*PYTHON, code, str(treasure)])
    assert result.stdout == "hard link refused\n" + "refused\n" * 3, result
    assert {path.name: path.read_text() for path in treasure.iterdir()} == {"gold": "gold"}


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A folder for temporary files of this test's runs alone."""
    with tempfile.TemporaryDirectory(prefix="saltus-temporary-") as folder:
        os.chmod(folder, 0o777)  # noqa: S103
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield folder
        monkeypatch.undo()


def test_a_folder_too_deep_or_without_rights_is_cleared_away(quick: Sandbox, temporary: str) -> None:
    code = (
        "import os\n"
        "os.mkdir('shut', 0); os.mkdir('open'); open('open/file', 'w').close()\n"
        "for _ in range(600):\n"
        "    os.mkdir('d'); os.chdir('d')\n"
        "print('done')\n"
    )
    assert quick.run({}, [*PYTHON, code]).stdout == "done\n"
    assert os.listdir(temporary) == []


def test_processes_that_split_off_do_not_outlive_the_run(sandbox: Sandbox) -> None:
    code = (
        "import os, sys, time\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0:\n"
        "        try: os.setsid()\n"
        "        except OSError: pass\n"
        "        if os.fork() == 0:\n"
        "            while True: time.sleep(1)\n"
        "        os._exit(0)\n"
        "print('started')\n"
    )
    result = sandbox.run({}, [*PYTHON, code, "token-of-daemons"], limits=Limits(wall=8.0))
    assert (result.ended, result.stdout) == ("exit", "started\n"), result
    assert _running("token-of-daemons") == []


def test_nothing_is_left_of_many_runs(sandbox: Sandbox, temporary: str) -> None:
    dead = _zombies()
    for _ in range(3):
        sandbox.run({"main.py": "import os\nos.fork()\n"}, ["python", "-I", "main.py"])
        sandbox.run({}, [*PYTHON, "while True: pass"], limits=Limits(wall=0.4))
    assert os.listdir(temporary) == []
    assert _zombies() <= dead


def test_killing_saltus_ends_what_runs_in_its_sandbox(sandbox: Sandbox) -> None:
    with tempfile.TemporaryDirectory(prefix="saltus-host-") as folder:
        os.chmod(folder, 0o777)  # noqa: S103
        code = (
            "from saltus.tasks.sandbox import KINDS, Limits\n"
            f"sandbox = KINDS[{sandbox.kind!r}]()\n"
            "print('ready', flush=True)\n"
            "sandbox.run({}, ['python', '-I', '-S', '-c', 'while True: pass', 'token-of-orphans'], "
            "limits=Limits(wall=60.0, cpu=60.0))\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": folder}
        ) as host:
            assert host.stdout is not None
            assert host.stdout.readline() == b"ready\n"
            marks = ("token-of-orphans", folder)
            assert _wait(lambda: bool(_running(*marks)))
            time.sleep(0.3)
            host.kill()
            host.wait()
            assert _wait(lambda: not _running(*marks)), _running(*marks)


def test_an_ordinary_user_is_held_too(sandbox: Sandbox) -> None:
    """As root this starts a process that becomes nobody; else all of this file ran as an ordinary user."""
    code = (
        "import os, sys\n"
        "from saltus.tasks.sandbox import KINDS, selftest\n"
        f"sandbox = KINDS[{sandbox.kind!r}]()\n"
        "os.chdir('/')\n"
        "sys.executable = sandbox.python  # that of the tests may lie in root's home\n"
        "if os.getuid() == 0:\n"
        "    os.setgroups([]); os.setgid(64999); os.setuid(64999)\n"
        "test = sandbox.self_test()\n"
        "assert test.user != 0\n"
        "print([check for check in test.broken])\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/"},
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr


def _zombies() -> set[str]:
    found = set()
    for thread in os.listdir("/proc/self/task"):
        children = Path("/proc/self/task", thread, "children").read_text().split()
        found |= {pid for pid in children if _state(pid) == "Z"}
    return found


def _state(pid: str) -> str:
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _running(*marks: str) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path("/proc", pid, "cmdline").read_text(errors="replace")
        except OSError:
            continue
        other = int(pid) != os.getpid() and "from saltus.tasks" not in command and _state(pid) not in "ZX"
        if other and any(mark in command for mark in marks):
            found.append(command)
    return found


def _wait(condition) -> bool:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
