"""A small synthetic world: a family, tasks that jump or do not, hostile texts, and a store of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import saltus.store
from saltus.records import Change, EarlyWarning, Forecast, Timeline
from saltus.records.arrow import TABLES
from saltus.records.findings import Band, Finding, Fit, Interval, Point, QValues
from saltus.store import Store

HOSTILE = (
    '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=2">'
    "'\u2028\u2029&amp;<!-- {{ 7*7 }}"
)
SIZES = {
    "toy-a": 2_000.0,
    "toy-b": 9_000.0,
    "toy-c": 30_000.0,
    "toy-d": 63_000.0,
    "toy-e": 108_000.0,
    "toy-f": 244_000.0,
}
STEPS = (0, 100, 200, 300, 400, 450, 500, 550, 600, 800, 1200, 2000)
TASKS = ("recall", "recite", "facts", "parity", "over'ride")
SAMPLES = 24


class World:
    """Findings and the evidence behind them."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.point_rows: list[dict[str, Any]] = []
        self.findings: list[Finding] = []

    def store(self, path: Path) -> Store:
        """A store on disk with all the evidence."""
        store = saltus.store.open(path)
        for name, rows in self.tables.items():
            if rows:
                store.append(name, pa.Table.from_pylist(rows, schema=TABLES[name]))
        return store


def score_of(task: str, size: float, step: float) -> float:
    """The true score of a task, between 0 and 1."""
    progress = math.log10(1 + step) - 3.3 + 0.5 * (math.log10(size) - 5)
    match task:
        case "recall":
            return 0.25 + 0.75 / (
                1 + math.exp(-(math.log10(max(step, 1)) - 2.68) * 60 - (math.log10(size) - 4.2) * 8)
            )
        case "recite":
            return max(0.0, 1 + progress * 1.6) ** 4
        case "facts":
            return min(1.0, max(0.02, 0.65 + 0.32 * progress))
        case "over'ride":
            return min(1.0, max(0.0, 0.15 - 0.3 * progress))
    return 0.5


def _model(name: str, size: float, step: int) -> dict[str, Any]:
    return {
        "id": f"{name}@step{step}",
        "name": name,
        "family": "toy",
        "revision": f"step{step}",
        "params": size,
        "step": float(step),
        "layers": 2,
        "role": "",
        "seed": 0,
    }


def _fill(world: World, model: dict[str, Any], rng: np.random.Generator) -> None:
    run = "run" + "0" * 29
    for task in TASKS:
        truth = score_of(task, model["params"], model["step"])
        hits = rng.random(SAMPLES) < truth
        for metric, values in (
            ("exact_match", hits.astype(float)),
            ("target_logprob", np.log(0.02 + 0.97 * truth) - 0.1 * hits),
        ):
            assert values.shape == (SAMPLES,)
            row = {key: model[key] for key in ("family", "name", "role", "params", "step", "layers")}
            stderr = float(np.std(values) / math.sqrt(SAMPLES))
            row |= {
                "model": model["id"],
                "model_seed": 0,
                "run": run,
                "task": task,
                "metric": metric,
                "variant": "",
            }
            world.point_rows.append(
                row | {"value": float(np.mean(values)), "stderr": stderr, "n": float(SAMPLES)}
            )
            for index, value in enumerate(values):
                key = {
                    "run": run,
                    "model": model["id"],
                    "task": task,
                    "sample": f"{task}-{index:03d}",
                    "variant": "",
                    "epoch": 0,
                }
                world.tables["scores"].append(key | {"metric": metric, "value": float(value)})
        for index, hit in enumerate(hits):
            key = {
                "run": run,
                "model": model["id"],
                "task": task,
                "sample": f"{task}-{index:03d}",
                "variant": "",
                "epoch": 0,
            }
            output = f"answer {index}" if hit else ("" if index % 5 == 0 else f"guess {index}")
            output = HOSTILE if task == "recall" and index == 1 else output
            logs = {"logprobs": [-0.1 if hit else -2.5] * 3, "greedy": [bool(hit)] * 3}
            if task == "parity":
                logs = {"choice_logprobs": [-0.5, -0.9]}
            world.tables["responses"].append(key | {"output": output, "finish": "stop", "error": ""} | logs)


def _points(world: World, task: str, axis: str, models: Sequence[dict[str, Any]]) -> tuple[Point, ...]:
    values = {(row["model"], row["task"], row["metric"]): row for row in world.point_rows}
    points = []
    for model in models:
        row = values[model["id"], task, "exact_match"]
        half = 1.96 * math.sqrt(max(row["value"] * (1 - row["value"]), 0.01) / SAMPLES)
        low, high = max(0.0, row["value"] - half), min(1.0, row["value"] + half)
        points.append(
            Point(
                model["id"],
                row["run"],
                model[axis],
                row["value"],
                low,
                high,
                float(SAMPLES),
                used=axis != "step" or model["step"] > 0,
            )
        )
    return tuple(points)


def _finding(world: World, task: str, axis: str, models: Sequence[dict[str, Any]], series: str) -> Finding:
    points = _points(world, task, axis, models)
    used = [point.x for point in points if point.used]
    grid = tuple(float(f"{x:.6g}") for x in np.geomspace(min(used), max(used), 60))
    curve = tuple(
        score_of(task, x, 2000) if axis == "params" else score_of(task, models[0]["params"], x) for x in grid
    )
    low, high = (tuple(float(np.clip(y + d, 0, 1)) for y in curve) for d in (-0.08, 0.08))
    verdicts: dict[str, tuple[Any, Any]] = {
        "recall": ("emergent", "jump_persists"),
        "recite": ("emergent", "metric_artifact"),
        "facts": ("gradual", None),
        "parity": ("no_change", None),
        "over'ride": ("declining", None),
    }
    verdict, artifact = verdicts[task]
    jumps = verdict == "emergent"
    middle = (20_000.0, 12_000.0, 30_000.0) if axis == "params" else (475.0, 450.0, 550.0)
    if task == "recite":
        middle = tuple(value * 2 for value in middle)  # type: ignore[assignment]
    line = (grid[0], grid[-1])
    return Finding(
        id=f"{task}-{axis}-0123456789",
        family="toy",
        axis=axis,
        task=task,
        metric="exact_match",
        series=series,
        n_scales=len(used),
        n_samples=float(SAMPLES),
        n_tests=10,
        verdict=verdict,
        sharpness="sharp" if jumps else None,
        artifact=artifact,
        headline=f"{task}: {verdict}",
        onset=Interval(*middle) if jumps else None,
        rise=Interval(curve[-1] - curve[0], curve[-1] - curve[0] - 0.1, curve[-1] - curve[0] + 0.1),
        chance={"recall": 0.25, "parity": 0.5}.get(task),
        q=QValues(trend=0.0004, acceleration=0.012, sharpness=0.3 if not jumps else 0.02),
        reasons=(
            f"The score of {task} moves from {curve[0]:.2f} to {curve[-1]:.2f}.",
            "A second reason stands here.",
        ),
        fits=(
            Fit("logistic", 12.0, 9.5, {"middle": middle[0], "floor": 0.25}, excluded=False, x=grid, y=curve),
            Fit("hinge", 15.5, 13.0, {"knee": middle[0]}, excluded=False, x=line, y=(curve[0], curve[-1])),
            Fit("flat", 90.0, 88.0, {}, excluded=True, x=line, y=(0.5, 0.5)),
        ),
        partner="target_logprob",
        points=points,
        band=Band(grid, curve, low, high),
        version="0.1.0",
    )


def build_world() -> World:
    """Six sizes of a family at their last step, and twelve checkpoints of one of them; 24 samples a task."""
    world, rng = World(), np.random.default_rng(7)
    finals = [_model(name, size, 2000) for name, size in SIZES.items()]
    checkpoints = [_model("toy-e", SIZES["toy-e"], step) for step in STEPS]
    world.tables["models"] = [*finals, *(model for model in checkpoints if model["step"] < 2000)]
    world.tables["runs"] = [
        {
            "id": "run" + "0" * 29,
            "kind": "run",
            "source": "toy suite",
            "format": "saltus",
            "content": "c" * 32,
            "rows": 1000,
            "config": "{}",
            "version": "0.1.0",
            "created": 1_750_000_000.0,
        },
        {
            "id": "imp" + "0" * 29,
            "kind": "import",
            "source": "results/toy.json",
            "format": "lm-eval",
            "content": "d" * 32,
            "rows": 6,
            "config": "{}",
            "version": "0.1.0",
            "created": 1_750_000_100.0,
        },
    ]
    for task in TASKS:
        for index in range(SAMPLES):
            text = f"{HOSTILE}\nQ: {task} {index}?" if index == 1 else f"Q: {task} {index}?\nA:"
            sample = {
                "task": task,
                "task_version": "v1",
                "id": f"{task}-{index:03d}",
                "input": text,
                "target": f"answer {index}",
            }
            if task == "parity":
                sample |= {"choices": ["even", "odd"], "answer": index % 2}
            world.tables["samples"].append(sample | {"slices": [("kind", "toy")]})
    for model in world.tables["models"]:
        _fill(world, model, rng)
    for task in TASKS:
        world.findings.append(_finding(world, task, "params", finals, ""))
        world.findings.append(_finding(world, task, "step", checkpoints, "toy-e"))
    return world


def add_imported(world: World) -> None:
    """A task that was imported as a mean only, with a gap in its models and a hostile name."""
    run = "imp" + "0" * 29
    names = list(SIZES)[:-1]
    for name in names:
        aggregate = {
            "run": run,
            "model": f"{name}@step2000",
            "task": 'imp<b>"orted',
            "metric": "acc",
            "variant": "",
        }
        world.tables["aggregates"].append(
            aggregate | {"value": 0.27, "stderr": 0.03, "n": 200.0, "chance": 0.25}
        )
    points = tuple(Point(f"{name}@step2000", run, SIZES[name], 0.27, 0.2, 0.34, 200.0) for name in names)
    world.findings.append(
        Finding(
            id="imported-0123",
            family="toy",
            axis="params",
            task='imp<b>"orted',
            metric="acc",
            n_scales=len(points),
            n_samples=200.0,
            n_tests=10,
            verdict="not_above_chance",
            headline="at chance",
            chance=0.25,
            points=points,
        )
    )


def add_forecasts_and_changes(world: World, store: Store) -> None:
    """A forecast, a refusal under a hostile name, changes along training, and an early warning."""
    facts, parity = (
        next(f for f in world.findings if f.task == task and f.axis == "params")
        for task in ("facts", "parity")
    )
    shared = {"metric": facts.metric, "family": "toy", "axis": "params", "at": 2e6, "low": 0.5, "high": 0.97}
    band = Band((2e3, 2e5, 2e6), (0.2, 0.7, 0.9), (0.1, 0.6, 0.5), (0.3, 0.8, 0.97))
    told = Forecast(task="facts", value=0.9, method="ensemble", points=facts.points, band=band, **shared)
    refused = Forecast(
        task=HOSTILE,
        value=None,
        method="ensemble",
        points=parity.points,
        refused=f"At chance. {HOSTILE}",
        **shared,
    )
    saltus.store.record_forecasts(store, [told, refused])
    whose = {"family": "toy", "series": "toy-e", "task": "recall", "metric": "exact_match"}
    change = Change(kind="onset", at=Interval(480, 450, 500), size=0.7, p=0.001)
    saltus.store.record_timelines(store, [Timeline(changes=(change,), reasons=(HOSTILE,), **whose)])
    warning = EarlyWarning(indicator="continuous", at=400, statistic=3.0, p=0.01, reason=HOSTILE, **whose)
    saltus.store.record_warnings(store, [warning])


@pytest.fixture(scope="session")
def world() -> World:
    world = build_world()
    add_imported(world)
    return world


@pytest.fixture(scope="session")
def store(world: World, tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = world.store(tmp_path_factory.mktemp("evidence") / "store")
    add_forecasts_and_changes(world, store)
    return store
