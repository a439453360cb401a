"""Suites that users write: YAML, TOML, Python, files of items; read lazily, checked one by one."""

from saltus.tasks.suites.python import TaskFunction, task
from saltus.tasks.suites.reader import read_suite
from saltus.tasks.suites.schema import json_schema

__all__ = ["TaskFunction", "json_schema", "read_suite", "task"]
