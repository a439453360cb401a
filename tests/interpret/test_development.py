"""Measurements along checkpoints: what forms when, as rows that the change points read, and as sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import saltus
from saltus.cli.app import main
from saltus.emergence import early_warnings
from saltus.emergence.lags import lags
from saltus.emergence.timeline import timelines
from saltus.family import checkpoints
from saltus.interpret.attention.probes import make_probes, probe_vocabulary
from saltus.interpret.development.follow import (
    Development,
    Reading,
    Track,
    development_sentences,
    follow,
    head_measure,
    record_development,
    score_measure,
)
from saltus.interpret.network.checkpoints import open_model
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import make_prompts
from saltus.records import INTERNALS, Interval, Lag, ModelError, ModelRecord, UsageError
from saltus.tasks import get_suite


@pytest.fixture(scope="module")
def training() -> Development:
    """The 20 checkpoints of 2x64: heads, and recall beside them."""
    torch.set_num_threads(1)
    records = checkpoints("2x64")
    opened = open_model(records[-1])
    [recall] = [task for task in get_suite("family").tasks if task.name == "recall"]
    prompts = make_prompts(list(recall.items())[:64], opened.encoder, context=opened.context)
    probes = make_probes(probe_vocabulary(opened.encoder, prompts), context=opened.context or 64)
    measures = [head_measure(probes, prompts), score_measure(prompts, chance=0.29)]
    return follow(records, measures, encoder=opened.encoder)


def track(training: Development, name: str) -> Track:
    [found] = [one for one in training.tracks() if one.name == name]
    return found


def value_at(training: Development, name: str, step: float) -> Reading:
    found = track(training, name)
    return found.readings[found.at.index(step)]


def test_the_previous_token_head_stands_before_the_induction_head(training: Development) -> None:
    assert training.problems == ()
    assert len(training.records) == 20
    assert value_at(training, "previous_token", 450).value > 0.35
    assert value_at(training, "induction", 450).value < 0.2
    assert value_at(training, "induction", 600).value > 0.8
    assert value_at(training, "recall exact_match", 450).value < 0.5
    assert value_at(training, "recall exact_match", 600).value > 0.95
    last = value_at(training, "induction", 2000)
    assert (last.component, last.of) == ("L1H0", 8)
    named = value_at(training, "induction:L1H0", 2000)
    assert named.value == last.value
    assert named.of == 0


def test_the_strongest_of_many_is_held_against_the_strongest_of_networks_that_learned_nothing(
    training: Development,
) -> None:
    strongest = value_at(training, "copying", 2000)
    uniform = value_at(training, f"copying:{strongest.component}", 2000)
    assert strongest.baseline is not None
    assert uniform.baseline is not None
    assert strongest.baseline > uniform.baseline  # a maximum stands above its mean
    start = value_at(training, "copying", 0)
    assert abs(start.value - strongest.baseline) < 0.05


def test_scores_stand_beside_their_parts(training: Development) -> None:
    rows = training.aggregates("r")
    assert {(row.task, row.metric) for row in rows} >= {
        ("recall", "exact_match"),
        (INTERNALS, "induction"),
        (INTERNALS, "induction:L1H0"),
        (INTERNALS, "previous_token"),
    }
    assert "induction:L0H3" not in {row.metric for row in rows}  # neither the strongest nor asked for
    assert "induction:L0H3" in {row.metric for row in training.aggregates("r", named=["induction:L0H3"])}
    one = next(row for row in rows if row.metric == "induction" and row.model == "tiro-2x64@step2000")
    reading = value_at(training, "induction", 2000)
    assert reading.low is not None
    assert one.value - 1.6449 * (one.stderr or 0) == pytest.approx(reading.low, abs=1e-3)


def test_effects_are_of_single_heads(training: Development) -> None:
    rows = [row for row in training.effects("r") if row.model == "tiro-2x64@step2000"]
    heads = {row.component for row in rows if row.method == "induction"}
    assert heads == {f"L{layer}H{head}" for layer in range(2) for head in range(4)}
    assert {row.task for row in rows if row.method == "source"} == {"recall"}
    assert {row.task for row in rows if row.method == "induction"} == {INTERNALS}
    [best] = [row for row in rows if row.method == "induction" and row.component == "L1H0"]
    assert json.loads(best.detail)["strongest_of"] == 8
    assert best.low is not None
    assert best.low <= best.effect


def test_the_store_gives_the_curves_to_change_points_lags_and_warnings(
    training: Development, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with saltus.open(tmp_path) as store:
        run = record_development(store, training)
        assert record_development(store, training) == run
        points = store.points()
        assert points.num_rows == len(training.aggregates(run))
        assert store.sql("SELECT count(*) AS n FROM effects")["n"][0].as_py() == len(training.effects(run))
        [row] = store.runs().to_pylist()
        assert (row["id"], row["kind"], row["format"]) == (run, "run", "saltus-explain")
    found = timelines(points)
    changes = {line.metric: line.changes for line in found if line.task == INTERNALS}
    assert any(change.at.low <= 500 and change.at.high >= 450 for change in changes["induction"])
    assert any(change.at.low <= 500 for change in changes["previous_token"])
    assert any({"induction", "recall exact_match"} == {one.leader, one.follower} for one in lags(found))
    scalars = training.scalars("tiro-2x64")
    assert {"induction", "previous_token", "source"} <= set(scalars)
    assert not any(":" in name for name in scalars)
    recall = points.filter([one == "recall" for one in points["task"].to_pylist()])
    early_warnings(recall, task="recall", scalars=scalars, indicators=("progress",))
    assert main(["timeline", "--task", INTERNALS, "--json", "--store", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)["timelines"]
    assert any(line["metric"] == "induction" and line["changes"] for line in told)


def test_one_broken_checkpoint_is_a_problem_and_all_are_an_error(tmp_path: Path) -> None:
    good, gone = checkpoints("2x64", steps=(500,))[0], ModelRecord(name="gone", location=str(tmp_path))

    def layers(model: HookedModel) -> dict[str, Reading]:
        return {"layers": Reading(value=float(model.anatomy.layers))}

    found = follow([gone, good], [layers])
    assert found.records == (good,)
    assert [problem.partition(":")[0] for problem in found.problems] == ["gone"]
    [only] = found.tracks("params")
    assert (only.series, only.at, only.readings[0].value) == ("tiro", (good.params,), 2.0)
    with pytest.raises(ModelError, match="no checkpoint can be measured; the first: gone: "):
        follow([gone], [layers])
    with pytest.raises(UsageError, match="not 'loss'"):
        found.tracks("loss")


def made(name: str, values: list[float], *, error: float = 0.02, of: int = 0) -> Track:
    return Track(
        name=name,
        series="m",
        at=tuple(100.0 * i for i in range(len(values))),
        readings=tuple(
            Reading(
                value=value,
                low=value - error,
                high=value + error,
                baseline=0.1,
                component="L0H1",
                of=of,
                n=64,
            )
            for value in values
        ),
    )


ONSET = Interval(320, 290, 360, 0.9)


def test_sentences_tell_what_stood_before_from_what_rose_with_it() -> None:
    tracks = [
        made("induction:L1H0", [0.05, 0.05, 0.05, 0.05, 0.8, 0.9]),
        made("delimiter", [0.3, 0.3, 0.3, 0.3, 0.31, 0.3], of=8),
        made("previous_token", [0.1, 0.2, 0.46, 0.6, 0.9, 0.95], of=8),
    ]
    first, second, third = development_sentences(tracks, ONSET, task="recall")
    assert {one.standing for one in (first, second, third)} == {"correlated"}
    assert first.text == (
        "The previous-token head (at each checkpoint the strongest of 8 heads, L0H1 at the end) stood at "
        "0.46 [0.44, 0.48] at step 200, the last checkpoint before the onset of recall at step 320 "
        "[290, 360], up from 0.10 [0.08, 0.12] at step 0 (the strongest in networks that have learned "
        "nothing: 0.10); it was at 0.90 [0.88, 0.92] at step 400 and at 0.95 [0.93, 0.97] at the end."
    )
    assert second.text.startswith("The induction head L0H1 rose with it: 0.05 [0.03, 0.07] at step 200")
    assert "rose neither before" in third.text


def test_a_rise_within_the_intervals_or_of_no_size_is_none() -> None:
    within = made("induction", [0.1, 0.1, 0.2, 0.2, 0.3, 0.3], error=0.15)
    tiny = made("previous_token", [0.1, 0.1, 0.12, 0.12, 0.14, 0.14], error=0.001)
    for one in development_sentences([within, tiny], ONSET, task="recall"):
        assert "rose neither before" in one.text


@pytest.mark.parametrize(
    ("onset", "side"), [(Interval(0, 0, 50), "before"), (Interval(490, 450, 510), "after")]
)
def test_an_onset_at_the_edge_is_not_tested(onset: Interval, side: str) -> None:
    [one] = development_sentences([made("induction", [0.1] * 6)], onset, task="recall")
    assert one.standing == "not_tested"
    assert one.text.startswith(f"No checkpoint {side} the onset of recall")


def test_lags_between_the_curves_and_the_ability_are_told() -> None:
    def lag(leader: str, follower: str) -> Lag:
        span = Interval(50, 20, 80)
        return Lag(
            leader=leader, follower=follower, series=("m",), lag=span, ratio=span, share=1, reason=leader
        )

    given = [
        lag("induction", "recall exact_match"),
        lag("induction", "facts exact_match"),
        lag("norm", "recall exact_match"),
    ]
    found = development_sentences([made("induction", [0.1] * 6)], ONSET, given, task="recall")
    assert [one.text for one in found[1:]] == ["induction"]
    assert found[1].standing == "correlated"
