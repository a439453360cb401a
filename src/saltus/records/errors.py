"""Every error that a user can cause is a `SaltusError`: one sentence with place, fault and mend."""

from __future__ import annotations

from typing import Any


class SaltusError(Exception):
    """Base of every error Saltus raises on purpose.

    Args:
        message: One sentence that says what is wrong and how to mend it.
        path: File the error is about, if any.
        line: Line in that file, counted from 1.
        field: Field, column or option the error is about.
    """

    kind = "error"
    exit_code = 2

    def __init__(
        self, message: str, *, path: str | None = None, line: int | None = None, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line
        self.field = field

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line) if part is not None)
        return f"{where}: {self.message}" if where else self.message

    def as_dict(self) -> dict[str, Any]:
        """The error as the JSON contract gives it: kind, message, path, line, field."""
        return {
            "kind": self.kind,
            "message": self.message,
            "path": self.path,
            "line": self.line,
            "field": self.field,
        }


class UsageError(SaltusError):
    """The call itself is wrong: an unknown name, a missing argument, an option out of range."""

    kind = "usage"


class InputError(SaltusError):
    """A file or a value that was handed in cannot be used as it is."""

    kind = "input"


class StoreError(SaltusError):
    """The evidence store cannot be opened, read or written."""

    kind = "store"
    exit_code = 4


class MissingExtraError(SaltusError):
    """A part of Saltus was asked for whose optional packages are not installed."""

    kind = "missing_extra"


class ModelError(SaltusError):
    """A model cannot be loaded, or did not answer."""

    kind = "model"
    exit_code = 4


class BudgetError(ModelError):
    """The budget of money or tokens is used up; what was answered before is kept."""

    kind = "budget"


class SandboxError(SaltusError):
    """No sandbox works here, so nothing that a model wrote is run."""

    kind = "sandbox"
    exit_code = 4
