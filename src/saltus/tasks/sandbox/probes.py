"""Runs as a program of its own inside a sandbox and tries to get out of it; says in JSON how far it came.

`selftest` hands it over as text, with targets that are there for it on stdin, and judges by what happened to
the targets. Outside a sandbox every attempt succeeds, which is how the tests know that the attempts are real.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

AF_VSOCK, HOST = 40, 2
PTRACE_ATTACH, CLONE_NEWUSER, PR_GET_NO_NEW_PRIVS = 16, 0x10000000, 39
EXPECTED = {"PATH", "HOME", "TMPDIR", "LANG", "PWD", "LC_CTYPE", "SHLVL", "_"}

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Try everything once, or what is asked for; an attempt that is refused says so by an error."""
    targets = json.load(sys.stdin)
    said = {}
    for name in targets.get("attempts", ATTEMPTS):
        try:
            said[name] = {"escaped": True, "seen": str(ATTEMPTS[name](targets))[:200]}
        except Exception as error:  # noqa: BLE001 - whatever refuses it, it is refused
            said[name] = {"escaped": False, "seen": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(said))


def tcp(targets: dict[str, Any]) -> str:
    """Talk to a server of the host."""
    with socket.create_connection(("127.0.0.1", targets["tcp"]), timeout=1) as link:
        link.sendall(b"hello")
    return "connected to the host"


def udp(targets: dict[str, Any]) -> str:
    """Send to a server of the host, which answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(0.1)
        link.sendto(b"hello", ("127.0.0.1", targets["udp"]))
        return repr(link.recv(10))


def internet(_: dict[str, Any]) -> str:
    """Reach an address that is reserved for examples: refused at once where there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.connect(("192.0.2.1", 53))  # sends nothing, but needs a way there
    return "there is a way out"


def abstract_socket(targets: dict[str, Any]) -> str:
    """Talk to a server whose socket has a name and no file."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect("\0" + targets["abstract"])
    return "connected to the host"


def file_socket(targets: dict[str, Any]) -> str:
    """Talk to a server through a socket file."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(targets["socket"])
    return "connected to the host"


def hypervisor(_: dict[str, Any]) -> str:
    """Open the door from a virtual machine to its host, which no namespace closes."""
    socket.socket(AF_VSOCK, socket.SOCK_STREAM).close()
    return "there is such a socket"


def read_secret(targets: dict[str, Any]) -> str:
    """Read a file that everybody may read."""
    with open(targets["secret"]) as file:
        return file.read()


def read_through_link(targets: dict[str, Any]) -> str:
    """The same through a link in the work folder."""
    os.symlink(targets["secret"], "link")
    with open("link") as file:
        return file.read()


def read_shadow(_: dict[str, Any]) -> str:
    """Read the passwords."""
    with open("/etc/shadow") as file:
        return f"{len(file.read())} characters"


def list_home(targets: dict[str, Any]) -> str:
    """Look into the user's home."""
    return str(os.listdir(targets["home"])[:3])


def list_current(targets: dict[str, Any]) -> str:
    """Look into the folder that Saltus was started in, where evidence lies."""
    return str(os.listdir(targets["current"])[:3])


def write_outside(targets: dict[str, Any]) -> str:
    """Write into a folder that everybody may write into."""
    with open(os.path.join(targets["folder"], "written"), "w") as file:
        file.write("hello")
    return "wrote a file of the host"


def write_system(targets: dict[str, Any]) -> str:
    """Write to where programs and devices are."""
    for folder in ("/usr", "/usr/lib", "/etc", "/dev", "/", targets["prefix"]):
        path = os.path.join(folder, targets["token"])
        try:
            with open(path, "w"):
                pass
        except OSError:
            continue
        os.unlink(path)
        return f"wrote into {folder}"
    raise PermissionError("nowhere")


def truncate(targets: dict[str, Any]) -> str:
    """Empty a file by its name, which is not opening it."""
    os.truncate(targets["writable"], 0)
    return "emptied a file of the host"


def change_mode(targets: dict[str, Any]) -> str:
    """Take the rights to a file away."""
    os.chmod(targets["mode"], 0o600)
    return "changed the rights of a file of the host"


def environment(_: dict[str, Any]) -> str:
    """Find variables of whoever started Saltus."""
    names = sorted(set(os.environ) - EXPECTED)
    if not names:
        raise PermissionError(f"only {', '.join(sorted(os.environ))}")
    return ", ".join(names)


def host_environment(targets: dict[str, Any]) -> str:
    """Read them from the other process."""
    with open(f"/proc/{targets['pid']}/environ", "rb") as file:
        content = file.read()
    if targets["token"].encode() not in content:
        raise PermissionError("it is not that process")
    return "read the environment of the host's process"


def kill(targets: dict[str, Any]) -> str:
    """Kill a process of the host."""
    os.kill(targets["victim"], signal.SIGKILL)
    return "sent the signal"


def trace(targets: dict[str, Any]) -> str:
    """Take a process of the host over."""
    check(libc.ptrace(PTRACE_ATTACH, targets["traced"], None, None))
    return "attached to a process of the host"


def mount(_: dict[str, Any]) -> str:
    """Mount a file system."""
    os.makedirs("mounted", exist_ok=True)
    check(libc.mount(b"tmpfs", b"mounted", b"tmpfs", 0, None))
    libc.umount2(b"mounted", 2)
    return "mounted a tmpfs"


def new_namespace(_: dict[str, Any]) -> str:
    """Become root of a user namespace, from where much more of the kernel can be reached."""
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.unshare(CLONE_NEWUSER) == 0 else 1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise PermissionError("refused")
    return "made a user namespace"


def root(_: dict[str, Any]) -> str:
    """Be root, or become it."""
    os.setuid(0)
    return f"user {os.getuid()}"


def gain_rights(_: dict[str, Any]) -> str:
    """See whether a program with the setuid bit would still give rights."""
    if libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1:
        raise PermissionError("no new privileges")
    return "programs with the setuid bit work"


def raise_limit(_: dict[str, Any]) -> str:
    """Take a limit away."""
    found = resource.getrlimit(resource.RLIMIT_AS)
    if found[0] == resource.RLIM_INFINITY:
        return "there was none"
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return "raised the limit of memory"


def inherited_files(targets: dict[str, Any]) -> str:
    """Find an open file of whoever started it."""
    for fd in range(3, 256):
        try:
            os.fstat(fd)
        except OSError:
            continue
        return f"file {fd} is open"
    raise PermissionError("only stdin, stdout and stderr are open")


def check(result: int) -> None:
    """Raise what the system call said."""
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


ATTEMPTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "tcp": tcp,
    "udp": udp,
    "internet": internet,
    "abstract_socket": abstract_socket,
    "file_socket": file_socket,
    "hypervisor": hypervisor,
    "read_secret": read_secret,
    "read_through_link": read_through_link,
    "read_shadow": read_shadow,
    "list_home": list_home,
    "list_current": list_current,
    "write_outside": write_outside,
    "write_system": write_system,
    "truncate": truncate,
    "change_mode": change_mode,
    "environment": environment,
    "host_environment": host_environment,
    "kill": kill,
    "trace": trace,
    "mount": mount,
    "new_namespace": new_namespace,
    "root": root,
    "gain_rights": gain_rights,
    "raise_limit": raise_limit,
    "inherited_files": inherited_files,
}

if __name__ == "__main__":
    main()
