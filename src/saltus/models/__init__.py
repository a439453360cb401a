"""One `Model` protocol and its implementations; torch stays behind a lazy import."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from saltus.models.load import load_model
from saltus.models.protocol import Model

if TYPE_CHECKING:
    from saltus.models.http import HttpModel
    from saltus.models.inspect import InspectModel
    from saltus.models.local import TransformersModel
    from saltus.models.series import Series

__all__ = ["HttpModel", "InspectModel", "Model", "Series", "TransformersModel", "load_model"]

_HOME = {
    "HttpModel": "http",
    "InspectModel": "inspect",
    "Series": "series",
    "TransformersModel": "local",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'saltus.models' has no attribute {name!r}")
    return getattr(import_module(f"saltus.models.{_HOME[name]}"), name)
