"""Rows on forecasts: published models left out and forecast from smaller ones, and simulated truths."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from saltus.emergence.forecast import backtest
from saltus.emergence.forecast.backtest import skill
from saltus.records import HeldOut

from . import ruan_split as ruan
from .harness import Bar, Plan, Rate, measures
from .published_rows import obscaling, pythia

CORE = ("lambada_openai", "arc_easy", "arc_challenge", "piqa", "sciq", "winogrande", "wsc", "logiqa")
SMALL = 1.5e9  # parameters: up to 1.4B is fitted, 2.8B to 12B forecast
CUTS = (5e8, 1.1e9, 1.5e9, 3e9)
STEPS = (3000, 20_000, 60_000)
KINDS = ("flat", "linear", "saturating", "logistic", "gompertz", "step", "broken")
LOW, HIGH = 8.0, 10.1

_LEAST, _MOST = 0.83, 0.97


@measures(
    Bar(
        "theirs", "Ruan et al. split, PC-3 with the floor at chance: geometric mean of test MSE", most=0.0065
    ),
    Bar("released", "the same, floor free up to .2 as in their released code"),
    Bar("converged", "the same, best of 20 starts"),
    Bar("flops", "Ruan et al. split, FLOPs alone: geometric mean of test MSE"),
    Bar("ours", "Ruan et al. split, pooled components: geometric mean of test MSE", most=0.0065),
    Bar("covered", "Ruan et al. split, pooled components: 90 % intervals cover", least=_LEAST),
    seed=501,
    quick=1.0,
    needs="obscaling",
)
def ruan_split(plan: Plan) -> dict[str, Rate]:
    splits = [ruan.split(task) for task in ruan.TASKS]
    pooled = [ruan.ours(one) for one in splits]
    inside = np.concatenate([covered for _, covered in pooled])
    errors = {
        "theirs": [ruan.theirs(one, free=False) for one in splits],
        "released": [ruan.theirs(one, free=True) for one in splits],
        "converged": [ruan.theirs(one, free=True, starts=20) for one in splits],
        "flops": [ruan.by_flops(one) for one in splits],
        "ours": [error for error, _ in pooled],
    }
    found = {
        name: Rate(ruan.geometric(values), None, 4, ", ".join(f"{v:.4f}" for v in values))
        for name, values in errors.items()
    }
    return found | {"covered": Rate.of(int(inside.sum()), len(inside))}


@measures(
    Bar("mse", "Pythia core tasks, up to 1.4B -> 2.8B to 12B: MSE", most=0.0020),
    Bar("gain", "the same, MSE over that of the last value", most=0.99),
    Bar("linear", "the same, a straight line: MSE"),
    Bar("sigmoid", "the same, a sigmoid by least squares: MSE"),
    Bar("covered", "the same: 90 % intervals cover", least=_LEAST),
    seed=502,
    quick=1.0,
    needs="pythia",
)
def pythia_core(plan: Plan) -> dict[str, Rate]:
    found = backtest(_last(), axis="params", cut=SMALL, tasks=CORE, seed=plan.seed).pooled
    assert found is not None
    assert found.coverage is not None
    last = found.mse["last_value"]
    return {
        "mse": Rate(
            found.mse["forecast"], None, found.n, f"{found.n - found.given} marked as not to be seen"
        ),
        "gain": Rate(found.mse["forecast"] / last, None, found.n, f"last value {last:.4f}"),
        "linear": Rate(found.mse["linear"], None, found.n),
        "sigmoid": Rate(found.mse["sigmoid"], None, found.n),
        "covered": Rate.of(round(found.coverage * found.given), found.given),
    }


@measures(
    Bar("params", "Pythia by size, 87 tasks, 4 cuts: 90 % intervals cover"),
    Bar("steps", "Pythia by step, 8 models, 3 cuts: 90 % intervals cover"),
    Bar("families", "ObsScaling by size within families: 90 % intervals cover"),
    Bar("components", "ObsScaling by components: 90 % intervals cover"),
    Bar("truths", "simulated truths: 90 % intervals cover"),
    Bar("pooled", "forecast 90 % intervals, pooled over all backtests, cover", _LEAST, _MOST),
    Bar("refused", "ranges left open where nothing can be seen hold"),
    Bar("mse", "all backtests: MSE over that of the last value"),
    seed=503,
    quick=0.03,
    needs="pythia",
)
def all_backtests(plan: Plan) -> dict[str, Rate]:
    last, steps = _some(_last(), plan.size(79)), _stepwise(plan)
    jobs = [partial(_by_size, last, cut) for cut in CUTS]
    jobs += [partial(_by_step, steps, float(cut)) for cut in STEPS]
    parts = {
        "params": [h for job in jobs[: len(CUTS)] for h in job()],
        "steps": [h for job in jobs[len(CUTS) :] for h in job()],
        "families": list(backtest(obscaling(), axis="params").held),
        "truths": [h for held in plan.map(_simulated, 700) for h in held],
    }
    inside = np.concatenate([ruan.ours(ruan.split(task))[1] for task in ruan.TASKS])
    rates = {name: _covered(h for h in held if not h.refused) for name, held in parts.items()}
    rates["components"] = Rate.of(int(inside.sum()), len(inside))
    together = [h for held in parts.values() for h in held]
    given = [h for h in together if not h.refused]
    hits = sum(h.low <= h.actual <= h.high for h in given) + int(inside.sum())
    whole = skill(together).mse
    return rates | {
        "pooled": Rate.of(hits, len(given) + len(inside)),
        "refused": _covered(h for h in together if h.refused),
        "mse": Rate(whole["forecast"] / whole["last_value"], None, len(together)),
    }


@measures(
    *(Bar(kind, f"forecast of {kind} truths: 90 % intervals cover") for kind in KINDS),
    seed=503,
    quick=0.1,
)
def by_truth(plan: Plan) -> dict[str, Rate]:
    held = plan.map(_simulated, 700)
    return {
        kind: _covered(
            h for i, some in enumerate(held) for h in some if KINDS[i % 7] == kind and not h.refused
        )
        for kind in KINDS
    }


def _last() -> list[dict[str, Any]]:
    final = max(row["step"] for row in pythia())
    return [row for row in pythia() if row["step"] == final and "5-shot" not in str(row["variant"])]


def _some(rows: list[dict[str, Any]], others: int) -> list[dict[str, Any]]:
    """The core tasks and so many others."""
    rest = sorted({row["task"] for row in rows} - set(CORE))
    wanted = {*CORE, *rest[:others]}
    return [row for row in rows if row["task"] in wanted]


def _stepwise(plan: Plan) -> list[dict[str, Any]]:
    """The plain models along training, as many tasks and models as the plan has room for."""
    plain = [row for row in pythia() if not str(row["name"]).endswith("-deduped")]
    plain = [row for row in plain if "5-shot" not in str(row["variant"])]
    models = sorted({row["name"] for row in plain})[: plan.size(8)]
    return [row for row in _some(plain, plan.size(24)) if row["name"] in models]


def _by_size(rows: list[dict[str, Any]], cut: float) -> tuple[HeldOut, ...]:
    return backtest(rows, axis="params", cut=cut).held


def _by_step(rows: list[dict[str, Any]], cut: float) -> tuple[HeldOut, ...]:
    return backtest(rows, axis="step", cut=cut).held


def _covered(held: Iterable[HeldOut]) -> Rate:
    inside = [h.low <= h.actual <= h.high for h in held]
    return Rate.of(sum(inside), len(inside))


def _simulated(rng: np.random.Generator, i: int) -> tuple[HeldOut, ...]:
    """One truth, measured at 6 to 12 scales, the top quarter left out."""
    kind = KINDS[i % len(KINDS)]
    scales, n = int(rng.choice([6, 8, 12])), int(rng.choice([200, 1000, 5000]))
    chance = float(rng.choice([0.0, 0.25, 0.5]))
    u = np.linspace(LOW, HIGH, scales)
    mean = np.clip(_truth(kind, u, chance, rng), 0, 1)
    share = np.clip(mean + rng.normal(size=scales) * 0.02 * np.sqrt(mean * (1 - mean)), 0, 1)
    rows = [
        {
            "name": f"m{j}",
            "task": kind,
            "metric": "acc",
            "value": y,
            "n": n,
            "chance": chance,
            "params": 10**x,
        }
        for j, (x, y) in enumerate(zip(u, rng.binomial(n, share) / n, strict=True))
    ]
    return backtest(rows, axis="params").held


def _truth(  # noqa: PLR0911 - one return a kind
    kind: str, u: np.ndarray, chance: float, rng: np.random.Generator
) -> np.ndarray:
    room = 1 - chance
    rise = rng.uniform(0.2, 0.9) * room
    middle, width = rng.uniform(8.5, 10.5), rng.uniform(0.5, 4.0)
    match kind:
        case "linear":
            return chance + 0.05 + rng.uniform(0, 0.25) * room * (u - LOW)
        case "saturating":
            return chance + rise * (1 - 10 ** (-rng.uniform(0.2, 2) * (u - LOW)))
        case "logistic":
            return chance + rise / (1 + np.exp(-(u - middle) * np.log(81) / width))
        case "gompertz":
            return chance + rise * np.exp(-np.log(2) * 10 ** (-1.34 / width * (u - middle)))
        case "step":
            return chance + rise * (u >= rng.uniform(8.5, 10.3))
        case "flat":
            return np.full_like(u, chance + rise / 2)
        case _:  # a broken power law: two rates, the second larger
            knee = np.maximum(u - rng.uniform(8.5, 10.0), 0)
            return chance + room * (rng.uniform(0, 0.1) * (u - LOW) + rng.uniform(0.1, 0.4) * knee)
