"""Interventions as rows of the evidence store: ablations, patches and screens of components and sets."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from saltus.interpret.causal.ablation import Method, Reference, ablate
from saltus.interpret.causal.patching import Patched
from saltus.interpret.causal.screening import Screen
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import Floats, ItemScores, change_interval, score_prompts
from saltus.records.explanations import Component, Effect, set_name


def ablation_effects(
    model: HookedModel,
    prompts: Prompts,
    sets: Sequence[Sequence[Component] | Component] | None = None,
    method: Method = "mean_ablation",
    *,
    baseline: Reference | None = None,
    run: str = "",
    seed: int = 0,
    level: float = 0.9,
) -> list[Effect]:
    """Take components or sets out one after the other, and score the task each time.

    Args:
        model: The model; its name is the id of the checkpoint.
        prompts: Of one task.
        sets: Components and sets; all single heads, MLPs and layers when None.
        method: Of ablation.
        baseline: As `ablation.reference` measured it; zero ablation needs none.
        run: The explanation that they belong to.
        seed: Of resampling.
        level: Of the intervals.

    Returns:
        For each set a row for the task's score, one for "target_logprob" and, where prompts have rivals, one
        for "logit_difference".
    """
    chosen = model.components("head", "mlp", "layer") if sets is None else sets
    before = score_prompts(model, prompts)
    metrics = [prompts.metric, "target_logprob"]
    if np.isfinite(before.margin).any():
        metrics.append("logit_difference")
    rows = []
    for one in chosen:
        components = (one,) if isinstance(one, Component) else tuple(one)
        edits = ablate(model, components, method, baseline=baseline, seed=seed)
        both = before, score_prompts(model, prompts, edits)
        name = set_name(components)
        rows += [
            ablation_row(model, prompts, name, method, metric, both, run=run, level=level)
            for metric in metrics
        ]
    return rows


def ablation_row(
    model: HookedModel,
    prompts: Prompts,
    component: str,
    method: str,
    metric: str,
    scores: tuple[ItemScores, ItemScores],
    *,
    run: str = "",
    level: float = 0.9,
) -> Effect:
    """One row: the change of a metric from the first scores to the second."""
    before, after = (_metric(one, metric) for one in scores)
    change = change_interval(before, after, prompts.clusters, level)
    return Effect(
        run=run,
        model=model.name,
        task=prompts.task,
        component=component,
        method=method,
        metric=metric,
        effect=change.value,
        low=_finite(change.low),
        high=_finite(change.high),
        level=level,
        baseline=float(np.nanmean(before)),
        n=int(np.isfinite(before).sum()),
    )


def patching_effects(
    patched: Sequence[Patched], model: HookedModel, prompts: Prompts, *, run: str = ""
) -> list[Effect]:
    """Rows of `patching.patch` and `patch_residual`: metric "recovered", baseline what no patch gives.

    Patches without a share have no row.
    """
    return [
        Effect(
            run=run,
            model=model.name,
            task=prompts.task,
            component=one.name,
            method="activation_patching",
            metric="recovered",
            effect=one.recovered.value,
            low=one.recovered.low,
            high=one.recovered.high,
            level=one.recovered.level,
            baseline=0.0 if one.direction == "denoise" else 1.0,
            n=one.n,
            detail=json.dumps(
                {"direction": one.direction, "places": one.places, "clean": one.clean, "corrupt": one.corrupt}
            ),
        )
        for one in patched
        if one.recovered is not None
    ]


def screen_effects(
    screen: Screen,
    model: HookedModel,
    prompts: Prompts,
    *,
    run: str = "",
    most: int = 200,
    level: float = 0.9,
) -> list[Effect]:
    """Rows of a screen: all heads and MLPs, and so many neurons with the largest estimates.

    Intervals are those of the estimate over samples; what the estimate itself misses is in `check_screen`.
    """
    shares = screen.shares(level)
    intervals = screen.intervals(level) if screen.twins is None else []
    sizes = np.abs(screen.effects)
    neurons = [i for i, one in enumerate(screen.components) if one.part == "neuron"]
    kept = set(sorted(neurons, key=lambda i: -sizes[i])[:most])
    detail = {"passes": screen.passes, "against": screen.method, "direction": screen.direction}
    rows = []
    for i, one in enumerate(screen.components):
        share = shares[i] if intervals == [] else intervals[i]
        if share is None or (one.part == "neuron" and i not in kept):
            continue
        rows.append(
            Effect(
                run=run,
                model=model.name,
                task=prompts.task,
                component=str(one),
                method="attribution_patching",
                metric="recovered" if screen.twins is not None else "target_log_odds",
                effect=share.value,
                low=_finite(share.low),
                high=_finite(share.high),
                level=level,
                baseline=1.0 if screen.twins is not None and screen.direction == "noise" else 0.0,
                n=len(screen.estimates),
                detail=json.dumps(detail),
            )
        )
    return rows


def _metric(scores: ItemScores, metric: str) -> Floats:
    match metric:
        case "target_logprob":
            return scores.logprob
        case "logit_difference":
            return scores.margin
        case _:
            return scores.correct


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
