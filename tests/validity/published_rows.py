"""Rows on published results: Pythia through the lm-evaluation-harness importer, ObsScaling through tables."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache, partial
from typing import Any

import numpy as np

import saltus
from saltus.emergence import detect, detect_all
from saltus.records import Finding
from saltus.stats import fit_link

from .harness import DATA, Bar, Plan, Rate, measures

Row = dict[str, Any]
_TAKEN = (1.2e9, 2.9e9)  # parameters between which arithmetic appears in Pythia
_PLATEAU = 83_000
_WARM_UP = 1430  # steps, a hundredth of training


@cache
def pythia() -> list[Row]:
    """The points of every published checkpoint."""
    return _points("lm-eval", DATA / "pythia")


@cache
def obscaling() -> list[Row]:
    """The points of the four emergent tasks on 84 models."""
    folder = DATA / "obscaling"
    return _points(
        "csv",
        folder / "base_llm_emergent_capability_eval.csv",
        mapping="tasks=*",
        axis_from=folder / "base_llm_benchmark_eval.csv",
    )


def _points(kind: str, path: Any, **options: Any) -> list[Row]:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with saltus.open(folder) as store:
        saltus.import_results(kind, path, store=store, **options)
        rows: list[Row] = store.points().to_pylist()
    return rows


@cache
def _last() -> list[Row]:
    final = max(row["step"] for row in pythia())
    return [row for row in pythia() if row["step"] == final]


@measures(
    Bar("emergent", "Pythia by size, 87 tasks: called emergent", most=2),
    Bar("sharp", "Pythia by size: called sharp", most=0),
    Bar("accelerating", "Pythia by size: called accelerating"),
    seed=301,
    quick=1.0,
    needs="pythia",
)
def pythia_by_size(plan: Plan) -> dict[str, Rate]:
    found = detect_all(_last(), axis="params", seed=plan.seed)
    jumps = [f for f in found if f.verdict in ("emergent", "accelerating")]
    assert len({f.task for f in found}) == 87
    return {
        "emergent": _named([f for f in jumps if f.verdict == "emergent"], len(found)),
        "sharp": _named([f for f in jumps if f.sharpness == "sharp"], len(found)),
        "accelerating": _named([f for f in jumps if f.verdict == "accelerating"], len(found)),
    }


def _named(found: list[Finding], size: int) -> Rate:
    return Rate(len(found), None, size, ", ".join(f.task for f in found))


@cache
def _mmlu() -> dict[str, list[Row]]:
    tasks: dict[str, list[Row]] = {}
    for row in _last():
        if row["task"].startswith("hendrycksTest") and row["metric"] == "acc":
            tasks.setdefault(row["task"], []).append(row)
    return tasks


def _permuted(rng: np.random.Generator, i: int) -> bool:
    tasks = _mmlu()
    rows = tasks[sorted(tasks)[i % len(tasks)]]
    sizes = np.array([row["params"] for row in rows])
    if i // len(tasks) % 2:
        sizes = rng.permutation(sizes)  # over all models
    else:
        known = np.unique(sizes)  # twins stay together
        sizes = rng.permutation(known)[np.searchsorted(known, sizes)]
    moved = [{**row, "params": float(size)} for row, size in zip(rows, sizes, strict=True)]
    return detect(moved, axis="params", seed=i).verdict == "emergent"


@measures(
    Bar("emergent", "MMLU series with scales permuted, each judged alone: emergent", most=0.005),
    seed=302,
    quick=0.12,
    needs="pythia",
)
def mmlu_permuted(plan: Plan) -> dict[str, Rate]:
    _mmlu()
    calls = plan.map(_permuted, 57 * 24)
    return {"emergent": Rate.of(sum(calls), len(calls))}


def _flat(seed: int, name: str) -> tuple[int, int, str]:
    rows = [row for row in pythia() if row["name"] == name and row["step"] >= _PLATEAU]
    found = detect_all(rows, axis="step", seed=seed)
    named = [f"{f.task} {name}" for f in found if f.verdict == "emergent"]
    return len(named), len(found), "; ".join(named)


@measures(
    Bar("emergent", "plateau checkpoints (step 83,000 on), 87 tasks x 16 models: emergent", most=0.005),
    seed=303,
    quick=0.12,
    needs="pythia",
)
def plateau(plan: Plan) -> dict[str, Rate]:
    names = sorted({row["name"] for row in pythia()})
    found = plan.each(partial(_flat, plan.seed), names[: plan.size(len(names))])
    hits, size = sum(f[0] for f in found), sum(f[1] for f in found)
    return {"emergent": Rate.of(hits, size, "; ".join(f[2] for f in found if f[2]))}


def _alone(seed: int, rows: list[Row]) -> bool:
    return detect(rows, axis="step", seed=seed).verdict == "emergent"


@measures(
    Bar("emergent", "MMLU plateau checkpoints, each judged alone: emergent", most=0.005),
    seed=304,
    quick=0.1,
    needs="pythia",
)
def plateau_alone(plan: Plan) -> dict[str, Rate]:
    series: dict[tuple[str, str], list[Row]] = {}
    for row in pythia():
        if row["step"] >= _PLATEAU and row["task"].startswith("hendrycksTest") and row["metric"] == "acc":
            series.setdefault((row["name"], row["task"]), []).append(row)
    order = np.random.default_rng(plan.seed).permutation(len(series))
    chosen = [list(series.values())[i] for i in order[: plan.size(len(series))]]
    calls = plan.each(partial(_alone, plan.seed), chosen)
    return {"emergent": Rate.of(sum(calls), len(calls))}


@measures(
    Bar("multiplication", "ObsScaling Pythia, 2-digit multiplication: emergent, onset inside", least=1),
    Bar("subtraction", "ObsScaling Pythia, 3-digit subtraction: emergent, onset inside", least=1),
    Bar("unscrambling", "ObsScaling Pythia, word unscrambling: not above chance", least=1),
    seed=305,
    quick=1.0,
    needs="obscaling",
)
def obscaling_pythia(plan: Plan) -> dict[str, Rate]:
    rows = [row for row in obscaling() if row["family"].lower().startswith("pythia")]
    found = {f.task: f for f in detect_all(rows, axis="params", seed=plan.seed)}
    out = {}
    for key, word in (
        ("multiplication", "arithmetic_2dm"),
        ("subtraction", "arithmetic_3ds"),
        ("unscrambling", "unscrambling"),
    ):
        (finding,) = [f for task, f in found.items() if word in task]
        onset = finding.onset
        if key == "unscrambling":
            good = finding.verdict == "not_above_chance"
        else:
            good = onset is not None and finding.verdict == "emergent"
            good = good and _TAKEN[0] <= onset.low <= onset.high <= _TAKEN[1]  # type: ignore[union-attr]
        words = "" if onset is None else f", {onset.low:.3g} to {onset.high:.3g} parameters"
        out[key] = Rate(float(good), None, finding.n_scales, finding.verdict.replace("_", " ") + words)
    return out


@measures(
    Bar("rmse", "LAMBADA: link from models up to 410M predicts 2.8B to 12B, RMSE", most=0.015),
    Bar("final", "the same from their final checkpoints only"),
    Bar("explained", "LAMBADA accuracy by size: metric explained", least=1),
    seed=306,
    quick=1.0,
    needs="pythia",
)
def lambada(plan: Plan) -> dict[str, Rate]:
    rows = [row for row in _last() if row["task"] == "lambada_openai"]
    (finding,) = detect_all(rows, axis="params", metrics=["acc"], seed=plan.seed)
    said = f"{finding.verdict}, {finding.artifact}".replace("_", " ")
    return {
        "rmse": _link_error(_WARM_UP),
        "final": _link_error(max(row["step"] for row in rows)),
        "explained": Rate(float(finding.artifact == "metric_explained"), None, len(rows) // 2, said),
    }


def _link_error(first_step: float) -> Rate:
    """The error at the final checkpoints of 2.8B to 12B of a link fitted on smaller models from a step on."""
    both: dict[str, dict[str, Row]] = {}
    for row in pythia():
        if row["task"] == "lambada_openai" and row["step"] >= first_step:
            both.setdefault(row["model"], {})[row["metric"]] = row
    share = [pair["acc"] for pair in both.values()]
    size, step, y, n = (np.array([row[c] for row in share], float) for c in ("params", "step", "value", "n"))
    nll = np.log([pair["ppl"]["value"] for pair in both.values()])
    first, last = size < 0.5e9, (size > 2e9) & (step == step.max())
    link = fit_link(nll[first], y[first], n[first])[0]
    rmse = float(np.sqrt(np.mean((link.predict(nll[last]) - y[last]) ** 2)))
    return Rate(rmse, None, int(last.sum()), f"{link.name} link, {int(first.sum())} checkpoints")
