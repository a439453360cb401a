"""The only place where scores come into being: by running a model, or by importing results."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltus.evals.run import ProgressEvent, RunSummary, evaluate

__all__ = ["ProgressEvent", "RunSummary", "evaluate"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'saltus.evals' has no attribute {name!r}")
    return getattr(import_module("saltus.evals.run"), name)
