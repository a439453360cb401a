"""Which sandbox is used, and that nothing is run where there is none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from saltus.records.errors import SandboxError, UsageError
from saltus.tasks.sandbox import KINDS, Limits, Sandbox, find
from saltus.tasks.sandbox.cgroup import Groups
from saltus.tasks.sandbox.landlock import Landlock, landlock_abi
from saltus.tasks.sandbox.limiting import limited


def test_one_is_found_and_kept() -> None:
    assert find() is find()
    assert find().kind in KINDS


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="bubblewrap, runsc, landlock"):
        find("docker")  # type: ignore[arg-type]


def test_a_program_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for kind, name in (("bubblewrap", "bubblewrap"), ("runsc", "runsc")):
        with pytest.raises(SandboxError, match=f"apt-get install {name}"):
            KINDS[kind]()  # type: ignore[index]


def test_the_self_test_can_be_kept_with_a_run(any_sandbox: Sandbox) -> None:
    test = any_sandbox.self_test()
    assert any_sandbox.self_test() is test
    document = test.as_dict()
    assert document["passed"] is True
    assert json.loads(msgspec.json.encode(document)) == json.loads(json.dumps(document))
    assert {"kind", "version", "python", "system", "user", "checks"} < set(document)


@pytest.mark.parametrize("abi", [abi for abi in (1, 4, 6) if abi <= landlock_abi()])
def test_older_landlocks_hold_as_much(abi: int) -> None:
    test = Landlock(abi).self_test()
    assert test.version == f"ABI {abi}"
    assert test.broken == ()


def test_limits_are_set_by_python_where_there_is_no_prlimit(any_sandbox: Sandbox) -> None:
    words = limited((any_sandbox.python, "-I", "-S", "-c", _limiter_code()), Limits(open_files=20))
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    result = any_sandbox.run({}, [*words, any_sandbox.python, "-I", "-S", "-c", code])
    assert result.stdout == "(20, 20)\n", result


def _limiter_code() -> str:
    from saltus.tasks.sandbox import limiting

    return limiting._SET


@pytest.mark.parametrize("version", [1, 2])
def test_groups_are_made_where_memory_is_handed_down(tmp_path: Path, version: int) -> None:
    parent = tmp_path / ("memory/box" if version == 1 else "box")
    parent.mkdir(parents=True)
    if version == 1:
        (parent / "memory.limit_in_bytes").touch()
        own = "4:memory:/box\n0::/\n"
    else:
        (parent / "inner").mkdir()
        (parent / "cgroup.subtree_control").write_text("cpu memory\n")
        own = "0::/box/inner\n"
    groups = Groups(tmp_path, own)
    assert groups.available
    group = groups.make(Limits(memory=1000, disk=24))
    assert group is not None
    (folder,) = (path for path in parent.iterdir() if path.name.startswith("saltus-"))
    limit = "memory.limit_in_bytes" if version == 1 else "memory.max"
    assert (folder / limit).read_text() == "1024"
    group.add(4711)
    assert (folder / "cgroup.procs").read_text() == "4711"
    assert not group.out_of_memory()
    (folder / ("memory.oom_control" if version == 1 else "memory.events")).write_text("oom 1\noom_kill 2\n")
    assert group.out_of_memory()


def test_no_groups_where_none_may_be_made(tmp_path: Path) -> None:
    assert not Groups(tmp_path, "0::/somewhere\n").available
    assert not Groups(tmp_path, "").available
    assert Groups(tmp_path, "").make(Limits()) is None


def test_the_work_folder_is_all_that_can_be_written(any_sandbox: Sandbox) -> None:
    code = (
        "import os\n"
        "for folder, below, _ in os.walk('/'):\n"
        "    if folder == '/usr': below.clear()  # too many\n"
        "    if os.access(folder, os.W_OK): print(folder)\n"
    )
    result = any_sandbox.run({}, ["python", "-I", "-S", "-c", code])
    writable = set(result.stdout.split())
    assert writable, result
    assert all(path.startswith(("/tmp", "/dev/shm")) for path in writable), writable  # noqa: S108


def test_a_process_with_many_open_files_hands_none_on() -> None:
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(200)]
    try:
        os.set_inheritable(held[150], True)
        for kind in KINDS:
            if kind != "runsc":  # slow, and it hands files on through a process of its own
                assert KINDS[kind]().self_test().broken == ()
    finally:
        for fd in held:
            os.close(fd)
