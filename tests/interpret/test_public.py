"""What the room offers by name is there, sorted, and costs no torch before it is used."""

from __future__ import annotations

import subprocess
import sys

import saltus.interpret as room


def test_every_name_is_there_and_sorted():
    assert list(room.__all__) == sorted(room.__all__)
    assert set(room.__all__) == set(room._HOME)
    for name in room.__all__:
        assert getattr(room, name).__name__ == name


def test_naming_is_not_loading():
    code = "import sys, saltus.interpret; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
