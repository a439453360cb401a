"""Argument parsing, progress and exit codes; nothing else. One file a verb, loaded when it is called."""

from saltus.cli.app import main

__all__ = ["main"]
