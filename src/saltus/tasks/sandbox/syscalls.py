"""System calls that code in a sandbox may not make, and their numbers; `seccomp` turns them into a filter."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import msgspec

# Of x86-64 and of the generic table that arm64 uses; None where a machine has no such call. From 424 on the
# numbers are the same everywhere.
NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "_sysctl": (156, None),
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bind": (49, 200),
    "bpf": (321, 280),
    "chmod": (90, None),
    "chown": (92, None),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "connect": (42, 203),
    "create_module": (174, None),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "fcntl": (72, 25),
    "finit_module": (313, 273),
    "fremovexattr": (199, 16),
    "fsconfig": (431, 431),
    "fsetxattr": (190, 7),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "futimesat": (261, None),
    "init_module": (175, 105),
    "inotify_add_watch": (254, 27),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioperm": (173, None),
    "iopl": (172, None),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "lchown": (94, None),
    "lookup_dcookie": (212, 18),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "prlimit64": (302, 261),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "removexattr": (197, 14),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semget": (64, 190),
    "sendmmsg": (307, 269),
    "sendmsg": (46, 211),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setpgid": (109, 154),
    "setpriority": (141, 140),
    "setsid": (112, 157),
    "settimeofday": (164, 170),
    "setxattr": (188, 5),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sysfs": (139, None),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "truncate": (76, 45),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "utime": (132, None),
    "utimensat": (280, 88),
    "utimes": (235, None),
    "vhangup": (153, 58),
}
LAST = 462  # calls that came after this one are as if they did not exist

AF_UNIX, AF_INET, AF_INET6, SOCK_STREAM = 1, 2, 10, 1
_NAMESPACES = 0x7E020080  # every CLONE_NEW* flag
_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP = 0x5412, 0x541C, 0x8901, 0x8902
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15


class Test(msgspec.Struct, frozen=True):
    """What one argument of a system call must be.

    Attributes:
        argument: Its place, from 0; the low 32 bits are looked at.
        values: What `argument & mask` may be, or may not be.
        mask: The bits that count.
        among: Whether it must be one of the values, or none of them.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    among: bool = True


class Rule(msgspec.Struct, frozen=True):
    """A system call that fails unless all tests hold; without tests it always fails."""

    call: str
    tests: tuple[Test, ...] = ()
    error: int = errno.EPERM


def _deny(calls: str) -> tuple[Rule, ...]:
    return tuple(Rule(call) for call in calls.split())


# What no sandbox lets through: other processes' memory, mounts and namespaces, the kernel's larger doors, and
# memory that no limit counts (memfd, System V).
EVERYWHERE: tuple[Rule, ...] = (
    *_deny(
        "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd "
        "mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr "
        "unshare setns bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register "
        "keyctl add_key request_key kexec_load kexec_file_load init_module finit_module delete_module "
        "create_module reboot swapon swapoff sethostname setdomainname acct quotactl quotactl_fd syslog "
        "lookup_dcookie vhangup iopl ioperm modify_ldt clock_settime settimeofday adjtimex clock_adjtime "
        "personality open_by_handle_at name_to_handle_at fanotify_init fanotify_mark memfd_create "
        "memfd_secret shmget msgget mq_open move_pages migrate_pages uselib _sysctl sysfs nfsservctl"
    ),
    Rule("clone", (Test(0, (0,), mask=_NAMESPACES),)),
    Rule("clone3", error=errno.ENOSYS),  # its flags lie in memory; libc falls back to clone
)

NAMESPACED: tuple[Rule, ...] = (
    *EVERYWHERE,
    # A network namespace holds these; vsock, for one, goes past it to the host of a virtual machine.
    Rule("socket", (Test(0, (AF_UNIX, AF_INET, AF_INET6)),)),
    Rule("ioctl", (Test(1, (_TIOCSTI, _TIOCLINUX), among=False),)),
)


def shared(abi: int, own_pid: int) -> tuple[Rule, ...]:
    """The rules where no namespace helps: no sockets, nothing that reaches a file or process by its name.

    Landlock does not hold file modes, owners, times and attributes, nor (before ABI 3) truncation by path and
    (before ABI 6) signals.

    Args:
        abi: Of Landlock.
        own_pid: The first process of the sandbox; before ABI 6 it is the only one that may be signalled.
    """
    rules = [
        *EVERYWHERE,
        *_deny(
            "socket connect bind sendmsg sendmmsg semget setsid setpgid setpriority ioprio_set sched_setattr "
            "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat setxattr lsetxattr fsetxattr "
            "removexattr lremovexattr fremovexattr utime utimes futimesat utimensat inotify_init "
            "inotify_init1 inotify_add_watch pidfd_open"
        ),
        # A pair of datagram sockets could be pointed at another address.
        Rule("socketpair", (Test(0, (AF_UNIX,)), Test(1, (SOCK_STREAM,), mask=0xF))),
        Rule("ioctl", (Test(1, (_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP), among=False),)),
        Rule("fcntl", (Test(1, (_F_SETOWN, _F_SETSIG, _F_SETOWN_EX), among=False),)),
        *(
            Rule(call, (Test(0, (0,)),))
            for call in ("prlimit64", "sched_setparam", "sched_setscheduler", "sched_setaffinity")
        ),
    ]
    if abi < 3:
        rules += _deny("truncate")
    if abi < 6:
        rules += _deny("pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo tkill")
        rules += [Rule(call, (Test(0, (own_pid,)),)) for call in ("kill", "tgkill")]
    return tuple(rules)


def numbers(rules: Sequence[Rule], column: int) -> list[tuple[int, Rule]]:
    """The rules of those calls that a machine has, with its numbers."""
    found = [(NUMBERS[rule.call][column], rule) for rule in rules]
    return [(number, rule) for number, rule in found if number is not None]
