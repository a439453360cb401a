"""Runs as a program of its own beside code that Landlock holds: shuts it in, watches it, ends all of it.

It is handed to a plain Python as text, together with `tree.py`; nothing else of Saltus is there. Its settings
come through a file; how the command ended goes back through a pipe.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any, NoReturn

from saltus.tasks.sandbox.tree import deleted_files, descendants, folder_size, memory

# Numbers of the kernel's interface.
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38
CLOSE_RANGE, CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 436, 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1, 2, 4, 8, 1 << 14
MAKE_CHAR, MAKE_SOCK, MAKE_BLOCK, IOCTL_DEV = 1 << 6, 1 << 9, 1 << 11, 1 << 15
HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
TCP, SCOPES = 3, 3  # binding and connecting; abstract sockets and signals
TICK = 0.02

libc = ctypes.CDLL(None, use_errno=True)


def main() -> NoReturn:
    """Start the command, wait for its end, end what it left, and say how it ended."""
    settings_fd, status_fd = int(sys.argv[1]), int(sys.argv[2])
    with open(settings_fd, "rb") as file:
        settings = json.load(file)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != settings["parent"]:
        os._exit(1)
    ready, failed = os.pipe()
    pid = os.fork()
    if pid == 0:
        become(settings, failed)
    os.close(failed)
    for fd in (0, 1, 2):
        os.close(fd)
    with open(ready, "rb") as file:
        problem = file.read().decode("utf-8", "replace")
    said = {"problem": problem} if problem else {}
    said.update(watch(pid, settings))
    os.write(status_fd, json.dumps(said).encode())
    os._exit(0)


def watch(pid: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Wait until the command ends, a limit is reached, or the order comes to end it."""
    said: dict[str, Any] = {}
    ended = None
    while ended is None:
        order = signal.sigtimedwait({signal.SIGTERM, signal.SIGCHLD}, TICK)
        if order is not None and order.si_signo == signal.SIGTERM:
            break
        # Not reaped before its group is dead, so that the group's number stays its own.
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if order is None and ended is None:
            pids = descendants(os.getpid())[1:]
            if memory(pids, settings["memory"]) > settings["memory"]:
                said["reached"] = "memory"
            elif folder_size(settings["folder"]) + deleted_files(pids) > settings["disk"]:
                said["reached"] = "disk"
            if said:
                break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # nothing leaves the group: setsid and setpgid are refused
    status = 0
    while True:
        try:
            one, how = os.wait()
        except ChildProcessError:
            break
        if one == pid:
            status = how
    code = os.waitstatus_to_exitcode(status)
    return {**said, "exit": code if code >= 0 else 128 - code}


def become(settings: dict[str, Any], failed: int) -> NoReturn:
    """Give everything up, then become the command. What goes wrong is written to `failed`."""
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.chdir(settings["folder"])
        os.umask(0o077)
        os.set_inheritable(failed, False)
        if failed > 3:
            checked(libc.syscall(CLOSE_RANGE, 3, failed - 1, 0), "close files")
        # By the kernel, which knows the files above the limit on their number too.
        checked(libc.syscall(CLOSE_RANGE, failed + 1, 0xFFFFFFFF, 0), "close files")
        for name, (soft, hard) in settings["rlimits"].items():
            resource.setrlimit(getattr(resource, "RLIMIT_" + name), (soft, hard))
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        restrict(settings)
        program = install_filter(settings, os.getpid())
        del program
        try:
            os.execve(settings["argv"][0], settings["argv"], settings["environment"])  # noqa: S606
        except OSError as error:  # the command's own fault
            os.write(2, f"{settings['argv'][0]}: {error.strerror}\n".encode())
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told and nothing is run
        os.write(failed, f"{type(error).__name__}: {error}".encode())
    os._exit(127)


def restrict(settings: dict[str, Any]) -> None:
    """Allow only some files, and close the rest for good."""
    abi = settings["abi"]
    handled = HANDLED[min(abi, 5)]
    fields = [handled]
    if abi >= 4:
        fields.append(TCP)
    if abi >= 6:
        fields.append(SCOPES)
    attributes = (ctypes.c_uint64 * len(fields))(*fields)
    ruleset = checked(libc.syscall(CREATE_RULESET, attributes, ctypes.sizeof(attributes), 0), "ruleset")
    everything = handled & ~(MAKE_CHAR | MAKE_BLOCK | MAKE_SOCK | IOCTL_DEV)
    file_rights = handled & (EXECUTE | READ_FILE | WRITE_FILE | TRUNCATE)
    rules = [(path, EXECUTE | READ_FILE | READ_DIR) for path in settings["readable"]]
    rules += [(path, READ_FILE | WRITE_FILE | TRUNCATE) for path in settings["devices"]]
    for path, rights in [*rules, (settings["folder"], everything)]:
        if not os.path.exists(path):
            continue
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = rights & handled if os.path.isdir(path) else rights & file_rights
        rule = allowed.to_bytes(8, sys.byteorder) + fd.to_bytes(4, sys.byteorder)  # a packed struct
        checked(libc.syscall(ADD_RULE, ruleset, 1, rule, 0), path)
        os.close(fd)
    checked(libc.syscall(RESTRICT_SELF, ruleset, 0), "restrict")
    os.close(ruleset)


def install_filter(settings: dict[str, Any], own: int) -> ctypes.Array[ctypes.c_char]:
    """Install the seccomp filter; where it speaks of the first process, that is this one."""
    code = bytes.fromhex(settings["filter"]).replace(
        bytes.fromhex(settings["own"]), own.to_bytes(4, sys.byteorder)
    )
    program = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    whole = Program(len(code) // 8, ctypes.cast(program, ctypes.c_void_p))
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(whole))
    return program


def prctl(option: int, value: int, other: int = 0) -> None:
    """One call of the kernel's process control, checked."""
    checked(libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(other), 0, 0), f"prctl {option}")


def checked(result: int, what: str) -> int:
    """The result, or an error where it is one."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)
    return int(result)
