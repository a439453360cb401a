"""From score tables to rows: which run counts, which samples are compared, what is left out."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from saltus.emergence import compare_variants


def scores(*rows: tuple[str, str, str, float], **changes: Any) -> list[dict[str, Any]]:
    """Rows of (run, variant, sample, value)."""
    base = {"model": "m", "task": "t", "metric": "exact_match", "epoch": 0}
    return [
        {**base, "run": run, "variant": variant, "sample": sample, "value": value, **changes}
        for run, variant, sample, value in rows
    ]


def many(run: str, variant: str, marks: str, **changes: Any) -> list[dict[str, Any]]:
    """One row a character of `marks`."""
    return scores(*((run, variant, f"s{i:02d}", float(mark)) for i, mark in enumerate(marks)), **changes)


def table(*rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([row for part in rows for row in part])


def test_only_samples_that_were_scored_both_ways_are_compared() -> None:
    found = compare_variants(table(many("r", "", "111100"), many("r", "typos", "1100")))
    (row,) = found.rows
    assert (row.n, row.plain.value, row.score.value) == (4, 1.0, 0.5)
    assert (row.flips.value, row.lost.value, row.gained.value, row.drop.value) == (0.5, 0.5, 0.0, 0.5)
    assert row.floor is row.excess is row.worst is None
    assert row.p == row.q == 0.5
    (worst,) = found.worst
    assert (worst.variant, worst.n, worst.compared, worst.always.value) == ("typos", 4, 1, 0.5)


def test_the_last_run_counts_and_the_variants_own_plain_scores() -> None:
    rows = table(
        many("old", "", "1111"),
        many("old", "typos", "0000"),
        many("new", "", "1110"),
        many("new", "typos", "1100"),
        many("other", "casing", "1111"),
    )
    created = {"old": 1.0, "new": 2.0, "other": 3.0}
    typos, casing = sorted(
        compare_variants(rows, created=created).rows, key=lambda row: row.variant, reverse=True
    )
    assert (typos.run, typos.plain_run, typos.plain.value, typos.score.value) == ("new", "new", 0.75, 0.5)
    assert (casing.run, casing.plain_run, casing.plain.value) == ("other", "new", 0.75)
    created["old"] = 9.0
    typos = next(row for row in compare_variants(rows, created=created).rows if row.variant == "typos")
    assert (typos.run, typos.plain_run) == ("old", "old")


def test_epochs_give_a_noise_floor() -> None:
    epochs = [many("r", variant, marks, epoch=epoch) for variant in ("", "typos") for epoch, marks in EPOCHS]
    (row,) = compare_variants(table(*epochs)).rows
    assert row.floor is not None
    assert row.excess is not None
    assert row.floor.value == pytest.approx(0.5)
    assert row.flips.value == pytest.approx(0.25)
    assert row.excess.value == pytest.approx(-0.25)


EPOCHS = ((0, "1100"), (1, "1010"))


def test_what_is_no_comparison_is_left_out() -> None:
    continuous = many("r", "", "1100", metric="target_logprob") + many(
        "r", "typos", "1100", metric="target_logprob"
    )
    for row in continuous:
        row["value"] -= 1.5
    rows = table(
        continuous,
        many("r", "", "1111", task="plain only"),
        many("r", "typos", "1111", task="variant only"),
        many("r", "", "11", task="apart"),
        scores(("r", "typos", "elsewhere", 1.0), task="apart"),
        many("r", "", "1", task="starred"),
        many("r", "*", "1", task="starred"),
    )
    assert compare_variants(rows) == ([], [])
    assert compare_variants(rows, metrics=["exact_match"]) == ([], [])


def test_the_headline_metric_speaks_unless_another_is_asked() -> None:
    parts = [
        many("r", variant, "1100", metric=name)
        for variant in ("", "typos")
        for name in ("exact_match", "acc")
    ]
    assert [row.metric for row in compare_variants(table(*parts)).rows] == ["exact_match"]
    asked = compare_variants(table(*parts), metrics=["acc", "nothing"]).rows
    assert [row.metric for row in asked] == ["acc"]


def test_slices_are_compared_where_they_are_groups() -> None:
    marks = "1" * 20 + "0" * 20
    tags = {
        f"s{i:02d}": {
            "half": "first" if i < 20 else "second",
            "id": str(i),
            "all": "one",
            "few": str(i // 39),
        }
        for i in range(40)
    }
    rows = table(many("r", "", "1" * 40), many("r", "typos", marks))
    for by in (None, "half"):
        (row,) = compare_variants(rows, slices={"t": tags}, by=by).rows
        assert row.worst is not None
        assert (row.worst.name, row.worst.score.value, row.worst.n) == ("half=second", 0.0, 20)
        assert row.worst.compared == 2
        assert row.worst.p is not None
        assert row.worst.p < 1e-6
    for by in ("id", "all", "few", "nothing"):
        assert compare_variants(rows, slices={"t": tags}, by=by).rows[0].worst is None


def test_clusters_are_taken_from_a_slice() -> None:
    tags = {f"s{i:02d}": {"text": str(i // 10)} for i in range(40)}
    rows = table(many("r", "", "1" * 40), many("r", "typos", "1" * 20 + "0" * 20))
    (alone,) = compare_variants(rows).rows
    (together,) = compare_variants(rows, slices={"t": tags}, cluster="text").rows
    assert together.flips.value == alone.flips.value == 0.5
    assert together.flips.high > alone.flips.high
    assert together.p is not None
    assert together.p > 0.05 > (alone.p or 1)


def test_many_variants_are_corrected_for() -> None:
    parts = [many("r", f"v{i}", "1" * 34 + "0" * 6) for i in range(4)]
    found = compare_variants(table(many("r", "", "1" * 40), *parts))
    assert all(row.p == pytest.approx(2 * 0.5**6) for row in found.rows)
    assert all(row.q == row.p for row in found.rows)
    assert found.worst[0].p == pytest.approx(4 * 2 * 0.5**6)
