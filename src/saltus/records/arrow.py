"""Arrow schemas of the evidence tables; the store writes exactly these columns."""

from __future__ import annotations

import pyarrow as pa

_AXES = [
    ("params", pa.float64()),
    ("tokens", pa.float64()),
    ("flops", pa.float64()),
    ("step", pa.float64()),
    ("loss", pa.float64()),
    ("released", pa.string()),
    ("layers", pa.int32()),
    ("width", pa.int32()),
    ("heads", pa.int32()),
]

MODELS = pa.schema(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("family", pa.string()),
        ("revision", pa.string()),
        *_AXES,
        ("seed", pa.int64()),
        ("role", pa.string()),
        ("parent", pa.string()),
        ("source", pa.string()),
        ("location", pa.string()),
    ]
)
RUNS = pa.schema(
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("format", pa.string()),
        ("content", pa.string()),
        ("rows", pa.int64()),
        ("config", pa.string()),
        ("version", pa.string()),
        ("created", pa.float64()),
    ]
)
SAMPLES = pa.schema(
    [
        ("task", pa.string()),
        ("task_version", pa.string()),
        ("id", pa.string()),
        ("input", pa.string()),
        ("target", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("answer", pa.int32()),
        ("chance", pa.float64()),
        ("slices", pa.map_(pa.string(), pa.string())),
        ("extra", pa.string()),  # JSON, empty when there is none
    ]
)
RESPONSES = pa.schema(
    [
        ("run", pa.string()),
        ("model", pa.string()),
        ("task", pa.string()),
        ("sample", pa.string()),
        ("variant", pa.string()),
        ("epoch", pa.int32()),
        ("output", pa.string()),
        ("output_tokens", pa.list_(pa.int32())),
        ("target_tokens", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float32())),
        ("greedy", pa.list_(pa.bool_())),
        ("choice_logprobs", pa.list_(pa.float32())),
        ("finish", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("latency", pa.float32()),
        ("error", pa.string()),
        ("prompt", pa.string()),
        ("changes", pa.string()),  # JSON, empty when there are none
        ("output_logprobs", pa.list_(pa.float32())),
        ("tool_calls", pa.string()),  # JSON, empty when there are none
        ("turns", pa.list_(pa.string())),
        ("first_token", pa.float32()),
        ("cost", pa.float64()),
    ]
)
SCORES = pa.schema(
    [
        ("run", pa.string()),
        ("model", pa.string()),
        ("task", pa.string()),
        ("sample", pa.string()),
        ("variant", pa.string()),
        ("epoch", pa.int32()),
        ("metric", pa.string()),
        ("value", pa.float64()),
    ]
)
AGGREGATES = pa.schema(
    [
        ("run", pa.string()),
        ("model", pa.string()),
        ("task", pa.string()),
        ("metric", pa.string()),
        ("variant", pa.string()),
        ("value", pa.float64()),
        ("stderr", pa.float64()),
        ("n", pa.float64()),
        ("chance", pa.float64()),
        ("shots", pa.int32()),
        ("seed", pa.int64()),
    ]
)

EFFECTS = pa.schema(
    [
        ("run", pa.string()),
        ("model", pa.string()),
        ("task", pa.string()),
        ("component", pa.string()),
        ("method", pa.string()),
        ("metric", pa.string()),
        ("effect", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("level", pa.float64()),
        ("baseline", pa.float64()),
        ("n", pa.int64()),
        ("detail", pa.string()),  # JSON, empty when there is none
    ]
)

TABLES: dict[str, pa.Schema] = {
    "models": MODELS,
    "runs": RUNS,
    "samples": SAMPLES,
    "responses": RESPONSES,
    "scores": SCORES,
    "aggregates": AGGREGATES,
    "effects": EFFECTS,
}

# One row a (model, task, metric, variant, shots, seed): what a detector reads. `value` is a mean.
POINTS = pa.schema(
    [
        ("family", pa.string()),
        ("name", pa.string()),
        ("model", pa.string()),
        ("role", pa.string()),
        ("model_seed", pa.int64()),
        ("run", pa.string()),
        ("task", pa.string()),
        ("metric", pa.string()),
        ("variant", pa.string()),
        ("shots", pa.int32()),
        ("value", pa.float64()),
        ("stderr", pa.float64()),
        ("n", pa.float64()),
        ("chance", pa.float64()),
        *_AXES,
    ]
)
