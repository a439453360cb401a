"""Frozen types, ids, hashes and schemas: the words every other room speaks. No I/O."""

from saltus.records.errors import (
    InputError,
    MissingExtraError,
    ModelError,
    SaltusError,
    StoreError,
    UsageError,
)
from saltus.records.evidence import Aggregate, ModelRecord, Response, RunRecord, Sample, Score
from saltus.records.findings import AXES, Band, Finding, Fit, Interval, Point, QValues
from saltus.records.ids import bytes_hash, content_hash
from saltus.records.metrics import METRICS, MetricInfo, metric_info
from saltus.records.requests import (
    Continuation,
    GenerateRequest,
    Generation,
    Loglikelihood,
    LoglikelihoodRequest,
)

__all__ = [
    "AXES",
    "METRICS",
    "Aggregate",
    "Band",
    "Continuation",
    "Finding",
    "Fit",
    "GenerateRequest",
    "Generation",
    "InputError",
    "Interval",
    "Loglikelihood",
    "LoglikelihoodRequest",
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
    "Score",
    "StoreError",
    "UsageError",
    "bytes_hash",
    "content_hash",
    "metric_info",
]
