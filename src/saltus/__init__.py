"""Saltus finds the jumps in what large language models can do, and keeps them under control.

Everything public is named here and loaded on first use, so that `import saltus` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from saltus._version import __version__

if TYPE_CHECKING:
    from saltus.emergence import detect, detect_all, detect_pooled
    from saltus.emergence.forecast import backtest, forecast_all
    from saltus.emergence.lags import lags
    from saltus.emergence.timeline import timelines
    from saltus.emergence.warning import early_warnings
    from saltus.evals import RunSummary, evaluate
    from saltus.evals.exporters import ExportResult, export_run
    from saltus.evals.importers import ImportResult, import_results
    from saltus.models import Model, Series, load_model
    from saltus.records import (
        Aggregate,
        EarlyWarning,
        Finding,
        Forecast,
        Interval,
        ModelRecord,
        Response,
        RunRecord,
        SaltusError,
        Sample,
        Score,
        Timeline,
    )
    from saltus.report import write_report
    from saltus.store import Store, open
    from saltus.tasks import Suite, Task
    from saltus.tasks.suites import task

_HOME = {
    "Aggregate": "records",
    "EarlyWarning": "records",
    "ExportResult": "evals.exporters",
    "Finding": "records",
    "Forecast": "records",
    "ImportResult": "evals.importers",
    "Interval": "records",
    "Model": "models",
    "ModelRecord": "records",
    "Response": "records",
    "RunRecord": "records",
    "RunSummary": "evals",
    "SaltusError": "records",
    "Sample": "records",
    "Score": "records",
    "Series": "models",
    "Store": "store",
    "Suite": "tasks",
    "Task": "tasks",
    "Timeline": "records",
    "backtest": "emergence.forecast",
    "detect": "emergence",
    "detect_all": "emergence",
    "detect_pooled": "emergence",
    "early_warnings": "emergence.warning",
    "evaluate": "evals",
    "export_run": "evals.exporters",
    "forecast_all": "emergence.forecast",
    "import_results": "evals.importers",
    "lags": "emergence.lags",
    "load_model": "models",
    "open": "store",
    "task": "tasks.suites",
    "timelines": "emergence.timeline",
    "write_report": "report",
}

__all__ = [
    "Aggregate",
    "EarlyWarning",
    "ExportResult",
    "Finding",
    "Forecast",
    "ImportResult",
    "Interval",
    "Model",
    "ModelRecord",
    "Response",
    "RunRecord",
    "RunSummary",
    "SaltusError",
    "Sample",
    "Score",
    "Series",
    "Store",
    "Suite",
    "Task",
    "Timeline",
    "__version__",
    "backtest",
    "detect",
    "detect_all",
    "detect_pooled",
    "early_warnings",
    "evaluate",
    "export_run",
    "forecast_all",
    "import_results",
    "lags",
    "load_model",
    "open",
    "task",
    "timelines",
    "write_report",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'saltus' has no attribute {name!r}")
    value = getattr(import_module(f"saltus.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
