"""Where code of models is run, and nowhere else: `find()` gives a sandbox that stood its self-test."""

from saltus.tasks.sandbox.base import Ended, Job, Kind, Limits, Result, Sandbox
from saltus.tasks.sandbox.find import KINDS, find
from saltus.tasks.sandbox.selftest import Check, SelfTest

__all__ = ["KINDS", "Check", "Ended", "Job", "Kind", "Limits", "Result", "Sandbox", "SelfTest", "find"]
