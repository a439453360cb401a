"""Rows on simulated series: false calls on nulls, recall on steps, coverage of onsets, rules in use."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import NamedTuple

import numpy as np

from saltus.records import Finding

from .harness import Bar, Plan, Rate, measures
from .rules import biggest_step, is_breakthrough
from .truths import (
    HIGH,
    LOW,
    Design,
    Truth,
    answers_of_tokens,
    any_design,
    any_null,
    judge,
    measure,
    sigmoid,
    step,
)


class Call(NamedTuple):
    """What was said of one series of a kind."""

    kind: str
    emergent: bool
    sharp: bool
    aside: int = 0
    trend: float = 1.0  # p-values, as one series is tested alone
    acceleration: float = 1.0


def call_of(kind: str, finding: Finding) -> Call:
    """The part of a finding that the table counts; sharp counts only where a jump is called."""
    jump = finding.verdict in ("emergent", "accelerating")
    aside = sum(not point.used for point in finding.points)
    p = [1.0 if q is None else q for q in (finding.q.trend, finding.q.acceleration)]
    return Call(kind, finding.verdict == "emergent", jump and finding.sharpness == "sharp", aside, *p)


def share(calls: list[Call], what: str) -> Rate:
    """The share of calls of which `what` is true, with the hits by kind."""
    kinds = Counter(call.kind for call in calls)
    hits = Counter(call.kind for call in calls if getattr(call, what))
    note = ", ".join(f"{kind} {hits[kind]}/{size}" for kind, size in sorted(kinds.items()))
    return Rate.of(sum(hits.values()), len(calls), note if len(kinds) > 1 else "")


def _null(rng: np.random.Generator, i: int) -> Call:
    kind = ("flat", "linear", "saturating")[i % 3]
    return call_of(kind, judge(any_null(kind, rng), any_design(rng), rng))


@measures(
    Bar("emergent", "pooled nulls called emergent", most=0.05),
    Bar("sharp", "pooled nulls called sharp", most=0.02),
    Bar("aside", "a point set aside on the same nulls", most=0.01),
    Bar("trend .05", "trend test on the flat ones: p at most .05", most=0.06),
    Bar("trend .001", "trend test on the flat ones: p at most .001", most=0.004),
    Bar("acceleration .05", "acceleration test on all of them: p at most .05", most=0.05),
    Bar("acceleration .001", "acceleration test on all of them: p at most .001", most=0.002),
    seed=101,
    quick=0.1,
)
def nulls(plan: Plan) -> dict[str, Rate]:
    calls = plan.map(_null, 3000)
    flat = [call.trend for call in calls if call.kind == "flat"]
    rates = {what: share(calls, what) for what in ("emergent", "sharp", "aside")}
    for level in (0.05, 0.001):
        name = f"{level:g}".lstrip("0")
        rates[f"trend {name}"] = Rate.of(sum(p <= level for p in flat), len(flat))
        rates[f"acceleration {name}"] = Rate.of(sum(c.acceleration <= level for c in calls), len(calls))
    return rates


def _smooth(rng: np.random.Generator, _: int) -> Call:
    truth = answers_of_tokens(rng)
    return call_of(truth.kind, judge(truth, any_design(rng), rng))


@measures(
    Bar("sharp", "p^L over 1.3 decades or more called sharp", most=0.05),
    Bar("emergent", "the same called emergent"),
    seed=102,
)
def answers(plan: Plan) -> dict[str, Rate]:
    calls = plan.map(_smooth, 1000)
    return {what: share(calls, what) for what in ("sharp", "emergent")}


def _step(rise: float, edge: int, rng: np.random.Generator, _: int) -> Call:
    gap = (HIGH - LOW) / 7
    middle = rng.uniform(LOW + edge * gap, HIGH - edge * gap)
    truth = step(middle, rise, float(rng.choice([0.0, 0.1, 0.25, 0.5])))
    return call_of("step", judge(truth, Design(tau=float(rng.choice([0, 0.01]))), rng))


@measures(
    Bar("emergent", "step of .20, 8 scales, n = 1,000: emergent", least=0.95),
    Bar("sharp", "step of .20: sharp", least=0.90),
    seed=103,
)
def large_steps(plan: Plan) -> dict[str, Rate]:
    calls = plan.map(partial(_step, 0.2, 1), 500)
    return {what: share(calls, what) for what in ("emergent", "sharp")}


@measures(
    Bar("emergent", "step of .10, 8 scales, n = 1,000: emergent", least=0.90),
    Bar("sharp", "step of .10: sharp"),
    seed=104,
    quick=0.2,
)
def small_steps(plan: Plan) -> dict[str, Rate]:
    calls = plan.map(partial(_step, 0.1, 1), 500)
    return {what: share(calls, what) for what in ("emergent", "sharp")}


def _dated(rng: np.random.Generator, i: int) -> tuple[str, bool, bool]:
    kind = ("step", "logistic", "gompertz")[i % 3]
    middle = rng.uniform(LOW + 0.3 * (HIGH - LOW), LOW + 0.85 * (HIGH - LOW))
    rise, chance = rng.uniform(0.2, 0.5), float(rng.choice([0.0, 0.1, 0.25]))
    if kind == "step":
        truth = step(middle, rise, chance)
    else:
        truth = sigmoid(kind, middle, rng.uniform(0.2, 1.5), rise, chance)
    design = Design(
        int(rng.choice([8, 12])),
        int(rng.choice([300, 1000, 3000, 10_000])),
        float(rng.choice([0, 0.01])),
        bool(rng.random() < 0.5),
    )
    finding = judge(truth, design, rng)
    onset = finding.onset
    if finding.verdict != "emergent" or onset is None:
        return kind, False, False
    return kind, True, onset.low * 0.999 <= truth.onset() <= onset.high * 1.001


@measures(
    Bar("covers", "onset interval (90 %) of emergent calls, n at least 300: covers", least=0.85, most=0.97),
    Bar("found", "the same jumps of .2 to .5: emergent"),
    seed=105,
)
def onsets(plan: Plan) -> dict[str, Rate]:
    found = plan.map(_dated, 1200)
    dated = [one for one in found if one[1]]
    hits, kinds = Counter(k for k, _, hit in dated if hit), Counter(k for k, _, _ in dated)
    note = ", ".join(f"{kind} {hits[kind] / size:.2f}" for kind, size in sorted(kinds.items()))
    return {
        "covers": Rate.of(sum(hits.values()), len(dated), note),
        "found": Rate.of(len(dated), len(found)),
    }


def _bump(kind: str, rng: np.random.Generator) -> Truth:
    """No jump upwards from chance to the top: a score that falls, or that rises and falls back to chance."""
    height, at = rng.uniform(0.1, 0.4), LOW + rng.uniform(0.25, 0.7) * (HIGH - LOW)
    chance = 0.25
    if kind == "fall":
        return Truth(kind, lambda u: chance + height * (u < at), chance)
    return Truth(kind, lambda u: chance + height * np.exp(-(((u - at) / 0.25) ** 2)), chance)


def _other(rng: np.random.Generator, i: int) -> Call:
    kind = ("fall", "bump")[i % 2]
    return call_of(kind, judge(_bump(kind, rng), any_design(rng), rng))


@measures(
    Bar("emergent", "scores that fall, or rise and fall back, called emergent", most=0.05),
    seed=106,
    quick=0.2,
)
def other_ways(plan: Plan) -> dict[str, Rate]:
    return {"emergent": share(plan.map(_other, 400), "emergent")}


def _rules(rng: np.random.Generator, i: int) -> tuple[bool, bool]:
    kind = ("flat", "linear", "saturating")[i % 3]
    design = any_design(rng)
    _, y = measure(any_null(kind, rng), design, rng)
    return is_breakthrough(y), biggest_step(y, design.n)


@measures(
    Bar("breakthroughness", "pooled nulls that BIG-bench breakthroughness > 5 calls"),
    Bar("three sigma", "pooled nulls of which the biggest step is over 3 sigma"),
    seed=101,
)
def rules_in_use(plan: Plan) -> dict[str, Rate]:
    calls = plan.map(_rules, 3000)
    return {
        name: Rate.of(sum(call[i] for call in calls), len(calls))
        for i, name in enumerate(("breakthroughness", "three sigma"))
    }
