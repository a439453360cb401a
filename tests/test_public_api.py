"""The public names are complete, sorted, documented, and importing them stays light."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import saltus

HEAVY = (
    "aiohttp",
    "numpy",
    "scipy",
    "pyarrow",
    "duckdb",
    "sqlalchemy",
    "rich",
    "jinja2",
    "torch",
    "transformers",
    "pandas",
    "polars",
)


def test_all_is_sorted_and_complete() -> None:
    assert saltus.__all__ == sorted(saltus.__all__)
    assert set(saltus.__all__) == set(saltus._HOME) | {"__version__"}
    assert dir(saltus) == saltus.__all__


@pytest.mark.parametrize("name", [name for name in saltus.__all__ if name != "__version__"])
def test_every_public_name_loads_and_has_a_docstring(name: str) -> None:
    value = getattr(saltus, name)
    assert value.__doc__, f"saltus.{name} has no docstring"
    assert len(value.__doc__.strip()) > 20


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = saltus.no_such_name


@pytest.mark.parametrize("statement", ["import saltus", "from saltus.cli import main; main(['--help'])"])
def test_start_up_loads_nothing_heavy(statement: str) -> None:
    code = (
        f"{statement}\nimport json, re, sys\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        # Not ru_maxrss: a child that was forked begins with its parent's.
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())\n"
        "print(json.dumps([loaded, int(peak[1])]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, kib = json.loads(run.stdout.splitlines()[-1])
    assert loaded == []
    assert kib < 60 * 1024, f"{kib / 1024:.0f} MB resident for {statement!r}"
