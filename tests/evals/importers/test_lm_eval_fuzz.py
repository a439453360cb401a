"""Whatever a result file holds, the importer says what is wrong with it in one sentence or reads it."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from saltus.evals.importers.lm_eval import open_results
from saltus.evals.importers.parsed import Parsed
from saltus.records import InputError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    ["acc", "acc_stderr", "acc,none", "acc_stderr,none", "ppl", "alias", "exact_match,strict"]
)
results = st.dictionaries(
    st.sampled_from(["piqa", "t"]), st.dictionaries(names, json_values, max_size=4) | json_values
)
documents = st.fixed_dictionaries(
    {"results": results | json_values},
    optional={
        "config": st.dictionaries(
            st.sampled_from(["model_args", "model", "num_fewshot", "limit", "model_num_parameters"]),
            json_values,
        )
        | json_values,
        "configs": json_values,
        "n-shot": st.dictionaries(st.sampled_from(["piqa", "t"]), json_values) | json_values,
        "n-samples": json_values,
        "group_subtasks": json_values,
        "versions": json_values,
        "date": json_values,
    },
)
sample_lines = st.fixed_dictionaries(
    {},
    optional={
        "doc_id": json_values,
        "target": json_values,
        "arguments": st.lists(st.lists(st.text(max_size=3), max_size=2), max_size=3) | json_values,
        "resps": st.lists(st.lists(st.lists(st.floats(max_value=0) | st.text(max_size=3), max_size=2)))
        | json_values,
        "filtered_resps": json_values,
        "filter": json_values,
        "metrics": st.lists(st.just("acc")) | json_values,
        "acc": json_values,
    },
)


def read(path: Path) -> list[Parsed]:
    """Rows, or none when the file was refused with a sentence."""
    try:
        return list(open_results(path).parse())
    except InputError:
        return []


def check(found: list[Parsed]) -> None:
    for parsed in found:
        for row in (*parsed.scores, *parsed.aggregates):
            assert row.value == row.value, "no NaN goes in"
            assert abs(row.value) != float("inf")
        for failure in parsed.failed:
            assert failure.error


@settings(max_examples=150, deadline=None)
@given(document=documents)
def test_any_document(document: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "results_2024-01-01T00-00-00.json"
        path.write_text(json.dumps(document))
        check(read(path))


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(sample_lines, max_size=4))
def test_any_samples(lines: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "results_2024-01-01T00-00-00.json"
        document = {
            "results": {"t": {"acc,none": 0.5}},
            "configs": {},
            "config": {"model_args": "pretrained=x"},
        }
        path.write_text(json.dumps(document))
        (Path(folder) / "samples_t_2024-01-01T00-00-00.jsonl").write_text("\n".join(map(json.dumps, lines)))
        found = read(path)
        check(found)
        assert sum(parsed.measured for parsed in found) >= 1, "the reported mean or the samples are there"


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.json"
        path.write_bytes(data)
        check(read(path))


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 200))
def test_any_truncation(cut: int) -> None:
    whole = json.dumps(
        {"results": {"piqa": {"acc": 0.6, "acc_stderr": 0.01}}, "config": {"model_args": "pretrained=gpt2"}}
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.json"
        path.write_text(whole[: min(cut, len(whole) - 1)])
        assert read(path) == []
