"""Charts and pages: reads everything, decides nothing, computes no statistic.

Start at `write.write_report`. `charts` turns a finding into a Vega-Lite spec, `evidence` reads the store,
`payload` lays out the page's data, `templates` and `assets` are the page.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltus.report.write import ReportInfo, write_report

__all__ = ["ReportInfo", "write_report"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("saltus.report.write"), name)
