"""JSON in an answer against the sample's JSON schema: as it stands, repaired, and the share that holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from saltus.records.errors import InputError, MissingExtraError
from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics.base import Metric
from saltus.tasks.metrics.json_text import MISSING, parse_repaired, parse_strict


def schema_valid(sample: Sample, response: Response) -> float:
    """1 when the whole output is JSON that `extra["schema"]` allows."""
    return _valid(sample, parse_strict(response.output))


def schema_repaired(sample: Sample, response: Response) -> float:
    """1 when the JSON that can be read from the output, mended if need be, is what the schema allows."""
    value = parse_strict(response.output)
    return _valid(sample, parse_repaired(response.output) if value is MISSING else value)


def schema_share(sample: Sample, response: Response) -> float:
    """Share of the schema's own demands that the mended JSON meets.

    The demands are that of the top level (its type), each required property, and each declared property that
    is there; 0 where no JSON can be read.
    """
    value = parse_strict(response.output)
    value = parse_repaired(response.output) if value is MISSING else value
    if value is MISSING:
        return 0.0
    demands, met = _count(sample.extra["schema"], value, sample)
    return met / demands


def schema_validator(text: str) -> Any:
    """A validator for a schema written as JSON, made once.

    Raises:
        MissingExtraError: jsonschema is not installed.
        InputError: It is no JSON schema.
    """
    try:
        import jsonschema
        from jsonschema_specifications import REGISTRY
    except ImportError as error:
        raise MissingExtraError(
            "this metric needs jsonschema, which is not installed; `pip install 'saltus[metrics]'` brings it"
        ) from error
    schema = json.loads(text)
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "its top"
        raise InputError(
            f"extra.schema is no JSON schema ({error.message} at {where}); mend the schema", field="schema"
        ) from error
    return kind(schema, registry=REGISTRY)  # which fetches nothing


_cached_validator = lru_cache(maxsize=256)(schema_validator)


def _valid(sample: Sample, value: Any) -> float:
    if value is MISSING:
        return 0.0
    return float(_holds(_cached_validator(json.dumps(sample.extra["schema"], sort_keys=True)), value, sample))


def _holds(validator: Any, value: Any, sample: Sample) -> bool:
    from referencing.exceptions import Unresolvable

    try:
        return bool(validator.is_valid(value))
    except Unresolvable as error:
        raise InputError(
            f"the schema of sample {sample.id!r} refers to what is not in it ({error}); put it under $defs",
            field="schema",
        ) from error


def _count(schema: Any, value: Any, sample: Sample) -> tuple[int, int]:
    """How many demands a schema makes, and how many a value meets; nested objects count their own."""
    root = sample.extra["schema"]
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        return 1, int(_holds(_part(root, schema), value, sample))
    demands, met = 1, int(isinstance(value, dict))
    required = set(schema.get("required", ()))
    for name, below in schema["properties"].items():
        there = isinstance(value, dict) and name in value
        if not there and name not in required:
            continue
        more, held = _count(below, value[name] if there else MISSING, sample) if there else (1, 0)
        demands += more
        met += held
    return demands, met


def _part(root: Any, schema: Any) -> Any:
    """A validator for a part of a schema, which may refer to the definitions of the whole."""
    if isinstance(root, Mapping) and isinstance(schema, Mapping):
        defined = {key: root[key] for key in ("$defs", "definitions") if key in root}
        schema = {**defined, **schema}
    return _cached_validator(json.dumps(schema, sort_keys=True))


SCHEMA = (
    Metric("schema_valid", ("output",), schema_valid, extra=("schema",)),
    Metric("schema_repaired", ("output",), schema_repaired, extra=("schema",)),
    Metric("schema_share", ("output",), schema_share, extra=("schema",)),
)
