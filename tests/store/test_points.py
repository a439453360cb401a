"""Points: what a detector reads, checked against numpy."""

import math
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import saltus
from saltus.records import Aggregate, ModelRecord, Response, RunRecord, Sample, Score
from saltus.records.arrow import POINTS

_row = st.tuples(
    st.sampled_from(["a", "b@step1"]),
    st.sampled_from(["t", "u"]),
    st.sampled_from(["exact_match", "target_logprob"]),
    st.sampled_from(["", "shuffled"]),
    st.integers(0, 5),
    st.integers(0, 2),
    st.floats(-1e6, 1e6, allow_subnormal=False),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(_row, max_size=60, unique_by=lambda row: row[:6]), st.booleans())
def test_points_are_means_over_samples_with_their_error(rows, repeats):
    rows = [row if repeats else (*row[:5], 0, row[6]) for row in rows if repeats or row[5] == 0]
    with tempfile.TemporaryDirectory() as folder, saltus.open(folder) as store:
        store.append(
            "scores",
            [
                Score(
                    run="r",
                    model=model,
                    task=task,
                    metric=metric,
                    variant=variant,
                    sample=str(n),
                    epoch=e,
                    value=v,
                )
                for model, task, metric, variant, n, e, v in rows
            ],
        )
        found = store.points()
    assert found.schema.equals(POINTS)
    groups: dict[tuple[str, ...], dict[int, list[float]]] = {}
    for *key, n, _, value in rows:
        groups.setdefault(tuple(key), {}).setdefault(n, []).append(value)
    assert found.num_rows == len(groups)
    for point in found.to_pylist():
        samples = groups[point["model"], point["task"], point["metric"], point["variant"]]
        means = np.array([np.mean(values) for values in samples.values()])
        assert point["n"] == len(means)
        assert point["value"] == pytest.approx(means.mean(), rel=1e-9, abs=1e-6)
        if len(means) == 1:
            assert point["stderr"] is None
        else:
            assert point["stderr"] == pytest.approx(
                means.std(ddof=1) / math.sqrt(len(means)), rel=1e-6, abs=1e-6
            )


def test_an_empty_store_has_no_points(store):
    assert store.points().schema.equals(POINTS)
    assert [
        store.points().num_rows,
        store.models().num_rows,
        store.runs().num_rows,
        store.tasks().num_rows,
    ] == [0] * 4
    assert store.scores(task="t").arrow().num_rows == 0
    assert store.samples("t").num_rows == 0


def _run(name, created):
    return RunRecord(id=name, kind="run", source="s", format="saltus", created=created)


def test_the_latest_run_wins(store, make_scores):
    store.append("runs", [_run("b", 1.0), _run("a", 2.0), _run("c", 0.5)])
    store.append(
        "scores", make_scores(3, run="a", value=0.5) + make_scores(9, run="b") + make_scores(9, run="ghost")
    )
    store.append("scores", make_scores(2, run="c", task="other"))
    assert [(p["run"], p["task"], p["n"]) for p in store.points().to_pylist()] == [
        ("c", "other", 2.0),
        ("a", "t", 3.0),
    ]
    assert store.points(latest=False)["run"].to_pylist() == ["c", "ghost", "b", "a"]
    assert store.points(run="b")["value"].to_pylist() == [1.0]
    store.append("runs", [_run("b", 3.0)])
    assert store.points(task="t")["run"].to_pylist() == ["b"]


def test_imported_means_stand_beside_measured_ones(store, make_scores):
    store.append("runs", [_run("old", 1.0), _run("new", 2.0)])
    store.append("scores", make_scores(4, run="old"))

    def mean(run, task, value, **more):
        return Aggregate(run=run, model="m", task=task, metric="exact_match", value=value, **more)

    store.append(
        "aggregates",
        [
            mean("old", "t", 0.1),  # its own samples say it better
            mean("old", "u", 0.2, stderr=0.01, n=100, shots=0, chance=0.25),
            mean("new", "u", 0.3, shots=0),
            mean("new", "u", 0.4, shots=5),
            mean("new", "u", 0.5, shots=5, seed=1),
        ],
    )
    assert [(p["task"], p["shots"], p["value"]) for p in store.points().to_pylist()] == [
        ("t", None, 1.0),
        ("u", 0, 0.3),
        ("u", 5, 0.5),
        ("u", 5, 0.4),
    ]
    assert (
        store.points(run="old", task="u").to_pylist()[0] | {"chance": 0.25, "n": 100.0, "stderr": 0.01}
        == (store.points(run="old", task="u").to_pylist()[0])
    )


def test_chance_is_the_mean_over_the_samples_and_only_where_guessing_applies(store):
    def sample(name, chance, version="v"):
        return Sample(task="t", task_version=version, id=name, input="?", target="!", chance=chance)

    store.append("samples", [sample("a", 0.9, "old"), sample("b", 0.25), sample("c", None)])
    store.append("samples", [sample("a", 0.5)])
    metrics = ("exact_match", "choice_grade", "target_logprob", "brier", "unheard_of")
    store.append(
        "scores",
        [
            Score(run="r", model="m", task="t", sample=name, metric=metric, value=0.0)
            for name in "abc"
            for metric in metrics
        ],
    )
    chance = {p["metric"]: p["chance"] for p in store.points().to_pylist()}
    assert chance == {
        "exact_match": 0.375,
        "choice_grade": 0.375,
        "target_logprob": None,
        "brier": None,
        "unheard_of": 0.375,
    }


def test_infinite_scores_stay_visible(store):
    values = [-1.0, -math.inf, -2.0]
    store.append(
        "scores",
        [
            Score(run="r", model="m", task="t", sample=str(v), metric="target_logprob", value=v)
            for v in values
        ],
    )
    (point,) = store.points().to_pylist()
    assert (point["value"], point["stderr"], point["n"]) == (-math.inf, None, 3.0)


def test_later_statements_fill_in_a_models_facts(store, make_scores):
    store.append("scores", make_scores(2))
    assert (
        store.points().to_pylist()[0] | {"name": "m", "family": "", "params": None}
        == store.points().to_pylist()[0]
    )
    store.append(
        "models", [ModelRecord(name="m", family="f", params=1.0, loss=3.0, role="control")], part="z"
    )
    store.append(
        "models", [ModelRecord(name="m", tokens=5.0, loss=2.0), ModelRecord(name="m", loss=1.5)], part="a"
    )
    (model,) = store.models().to_pylist()
    assert {name: model[name] for name in ("family", "params", "tokens", "loss", "role", "step")} == {
        "family": "f",
        "params": 1.0,
        "tokens": 5.0,
        "loss": 1.5,
        "role": "control",
        "step": None,
    }
    assert store.points(family="f")["params"].to_pylist() == [1.0]
    assert store.sql("SELECT count(*) AS n FROM models_all")["n"].to_pylist() == [3]


@pytest.fixture
def mixed(store, make_scores):
    store.append(
        "models", [ModelRecord(name="org/m", revision=f"step{n}", family="fam", step=n) for n in (1, 2)]
    )
    for model in ("org/m@step1", "org/m@step2", "stranger"):
        for task in ("mmlu-law", "mmlu-art", "lambada", "odd[1]"):
            store.append("scores", make_scores(2, model=model, task=task))
    return store


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ({}, 12),
        ({"task": "mmlu-*"}, 6),
        ({"task": "mmlu"}, 0),
        ({"task": "odd[1]"}, 3),
        ({"task": ["mmlu-law", "lam*"]}, 6),
        ({"task": []}, 0),
        ({"model": "org/m"}, 8),
        ({"model": "org/m@step1"}, 4),
        ({"model": "*@step?", "task": "lambada"}, 2),
        ({"family": "fam"}, 8),
        ({"family": ""}, 4),
        ({"metric": "exact*", "run": "r1", "variant": "", "task": "lambada"}, 3),
        ({"metric": "f1"}, 0),
        ({"task": "x'; DROP VIEW scores; --"}, 0),
    ],
)
def test_filters_take_names_patterns_and_several(mixed, filters, rows):
    assert mixed.points(**filters).num_rows == rows
    assert mixed.scores(**filters).points().num_rows == rows
    assert mixed.scores(**filters).arrow().num_rows == 2 * rows


def test_the_same_store_gives_the_same_bytes(store):
    rng = np.random.default_rng(0)
    for _ in range(4):
        store.append(
            "scores",
            [
                Score(
                    run="r", model="m", task=f"t{n % 7}", sample=f"{n}", metric="target_logprob", value=-value
                )
                for n, value in enumerate(rng.gamma(2.0, size=2000))
            ],
        )
    first = store.points()
    for _ in range(3):
        store.close()
        assert store.points().equals(first)


def test_rows_open_in_pandas_and_polars(mixed):
    import pandas
    import polars

    query = mixed.scores(task="lambada")
    frame = query.pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.groupby("model")["value"].mean().to_dict() == {
        "org/m@step1": 1,
        "org/m@step2": 1,
        "stranger": 1,
    }
    assert isinstance(query.polars(), polars.DataFrame)
    assert query.polars().shape == (6, len(query.arrow().column_names))
    assert repr(query) == "Query(task='lambada')"


def test_runs_and_tasks_say_what_is_there(mixed):
    mixed.append("runs", [_run("r1", 5.0), _run("r0", 4.0)])
    mixed.append("aggregates", [Aggregate(run="r0", model="x", task="lambada", metric="ppl", value=9.0)])
    assert [(row["id"], row["models"], row["tasks"]) for row in mixed.runs().to_pylist()] == [
        ("r0", 1, 1),
        ("r1", 3, 4),
    ]
    tasks = {row["task"]: row for row in mixed.tasks().to_pylist()}
    assert tasks["lambada"] == {
        "task": "lambada",
        "metrics": ["exact_match", "ppl"],
        "models": 4,
        "runs": 2,
        "samples": 0,
    }


def test_samples_join_question_answer_and_scores(store, make_scores):
    store.append(
        "samples",
        [Sample(task="t", task_version="v", id=f"s{n}", input=f"q{n}", target="!") for n in range(3)],
    )
    store.append(
        "responses",
        [
            Response(run="r1", model=model, task="t", sample=f"s{n}", output="o")
            for n in range(3)
            for model in "mn"
        ],
    )
    store.append("scores", make_scores(3))
    rows = store.samples("t", limit=2).to_pylist()
    assert [(row["sample"], row["model"]) for row in rows] == [
        ("s0", "m"),
        ("s0", "n"),
        ("s1", "m"),
        ("s1", "n"),
    ]
    assert rows[0]["input"] == "q0"
    assert rows[0]["output"] == "o"
    assert dict(rows[0]["scores"]) == {"exact_match": 1.0}
    assert rows[1]["scores"] is None
    assert store.samples("t", model="m", sample=["s2", "s*"])["sample"].to_pylist() == ["s2"]
    assert store.samples("t", run="other").num_rows == 0


def test_scores_without_responses_still_show(store, make_scores):
    store.append("scores", make_scores(1))
    (row,) = store.samples("t").to_pylist()
    assert (row["sample"], row["output"], dict(row["scores"])) == ("s0", None, {"exact_match": 1.0})
