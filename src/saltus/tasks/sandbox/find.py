"""Which kind of sandbox works here: the first one that stands its self-test."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from saltus.records.errors import SandboxError, UsageError
from saltus.tasks.sandbox.base import Kind, Sandbox
from saltus.tasks.sandbox.bubblewrap import Bubblewrap
from saltus.tasks.sandbox.gvisor import Runsc
from saltus.tasks.sandbox.landlock import Landlock

# In the order in which they are tried.
KINDS: dict[Kind, Callable[[], Sandbox]] = {
    "bubblewrap": Bubblewrap,
    "runsc": Runsc,
    "landlock": Landlock,
}


@cache
def find(prefer: Kind | None = None) -> Sandbox:
    """The sandbox to run code in. Looked for once a process.

    Args:
        prefer: This kind and no other.

    Raises:
        SandboxError: None stands its self-test here, so nothing is run.
        UsageError: There is no such kind.
    """
    if prefer is not None and prefer not in KINDS:
        raise UsageError(f"no sandbox is called {prefer!r}, there are {', '.join(KINDS)}", field="kind")
    why = []
    for kind in (prefer,) if prefer is not None else tuple(KINDS):
        try:
            return working(kind)
        except SandboxError as error:
            why.append(f"{kind}: {error.message}")
    raise SandboxError(
        f"no sandbox works here, so nothing that a model wrote is run ({'; '.join(why)}); on Debian: "
        "apt-get install bubblewrap, and allow user namespaces"
    )


@cache
def working(kind: Kind) -> Sandbox:
    """A sandbox of this kind that stood its self-test.

    Raises:
        SandboxError: It is not there, or it does not hold everything.
    """
    sandbox = KINDS[kind]()
    broken = sandbox.self_test().broken
    if broken:
        raise SandboxError(
            f"{kind} does not hold against {', '.join(f'{check.name} ({check.seen})' for check in broken)}; "
            "see `saltus sandbox`"
        )
    return sandbox
