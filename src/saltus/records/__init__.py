"""Frozen types, ids, hashes and schemas: the words every other room speaks. No I/O."""

from saltus.records.changes import Change, EarlyWarning, Lag, Timeline
from saltus.records.errors import (
    BudgetError,
    InputError,
    MissingExtraError,
    ModelError,
    SaltusError,
    SandboxError,
    StoreError,
    UsageError,
)
from saltus.records.evidence import Aggregate, ModelRecord, Response, RunRecord, Sample, Score
from saltus.records.findings import AXES, Band, Finding, Fit, Interval, Point, QValues
from saltus.records.forecasts import Forecast
from saltus.records.ids import bytes_hash, content_hash
from saltus.records.metrics import METRICS, MetricInfo, metric_info
from saltus.records.requests import (
    Continuation,
    GenerateRequest,
    Generation,
    Loglikelihood,
    LoglikelihoodRequest,
    Message,
    ToolCall,
)

__all__ = [
    "AXES",
    "METRICS",
    "Aggregate",
    "Band",
    "BudgetError",
    "Change",
    "Continuation",
    "EarlyWarning",
    "Finding",
    "Fit",
    "Forecast",
    "GenerateRequest",
    "Generation",
    "InputError",
    "Interval",
    "Lag",
    "Loglikelihood",
    "LoglikelihoodRequest",
    "Message",
    "MetricInfo",
    "MissingExtraError",
    "ModelError",
    "ModelRecord",
    "Point",
    "QValues",
    "Response",
    "RunRecord",
    "SaltusError",
    "Sample",
    "SandboxError",
    "Score",
    "StoreError",
    "Timeline",
    "ToolCall",
    "UsageError",
    "bytes_hash",
    "content_hash",
    "metric_info",
]
