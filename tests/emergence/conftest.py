"""Real scores that lie beside the repository on a developer's machine, and made ones, as rows of points."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CHANCE = {
    "recall": 0.27,
    "add1": 0.1,
    "facts": 0.1,
    "recite": 0.0,
    "parity": 0.5,
    "reverse": 0.0,
    "sort": 0.0,
}
N = 256.0


def read_family(
    path: Path,
    *,
    seeds: tuple[int, ...] = (0,),
    rng: np.random.Generator | None = None,
    partners: bool = True,
) -> list[dict[str, Any]]:
    """The embedded family's scores; with `rng`, every share is measured anew on other items."""
    rows: list[dict[str, Any]] = []
    for name, model in json.loads(path.read_text()).items():
        if model["seed"] not in seeds:
            continue
        layers, width, heads = model["layers_width_heads"]
        short = f"tiro-{layers}x{width}" + (f"-seed{model['seed']}" if model["seed"] else "")
        for step, tasks in model["checkpoints"].items():
            base = {
                "family": "tiro",
                "name": short,
                "model": f"{short}@step{step}",
                "role": "control" if name.startswith("C1x48") else "",
                "model_seed": model["seed"],
                "run": "r1",
                "params": float(model["params"]),
                "step": float(step),
                "tokens": float(step) * 26 * 64,
                "layers": layers,
                "width": width,
                "heads": heads,
                "n": N,
                "variant": "",
                "shots": None,
                "stderr": None,
            }
            for task, scores in tasks.items():
                for metric, value in _metrics(task, scores, partners):
                    shown = value
                    if rng is not None and 0 <= value <= 1:
                        shown = rng.binomial(int(N), value) / N
                    chance = 0.5 if task == "override" else CHANCE[task]
                    rows.append({**base, "task": task, "metric": metric, "value": shown, "chance": chance})
    return rows


def _metrics(task: str, scores: dict[str, float], partners: bool) -> Iterator[tuple[str, float]]:
    if task == "override":
        yield "choice_correct", scores["two_way"]
    else:
        yield "exact_match", scores["exact_match"]
    if partners:
        yield "target_logprob", scores["target_logprob"]
        yield "token_accuracy", scores["token_accuracy"]


_PARAMS = {
    "70m": 70426624,
    "160m": 162322944,
    "410m": 405334016,
    "1b": 1011781632,
    "1.4b": 1414647808,
    "2.8b": 2775208960,
    "6.9b": 6857302016,
    "12b": 11846072320,
}
_PYTHIA_CHANCE = {
    "arc_easy": 0.25,
    "arc_challenge": 0.25,
    "piqa": 0.5,
    "sciq": 0.25,
    "winogrande": 0.5,
    "wsc": 0.5,
    "logiqa": 0.25,
    "lambada_openai": 0.0,
}


def read_pythia(folder: Path, steps: tuple[int, ...] | None = (143000,)) -> list[dict[str, Any]]:
    """The published Pythia results at some steps (None: all)."""
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*/*.json")):
        step = int(path.stem.rsplit("step", 1)[1])
        if steps is not None and step not in steps:
            continue
        name = path.parent.name
        size = name.removeprefix("pythia-").removesuffix("-deduped")
        for task, values in json.loads(path.read_text())["results"].items():
            chance = _PYTHIA_CHANCE.get(task, 0.25 if task.startswith("hendrycks") else 0.5)
            for metric, value in values.items():
                if metric.endswith("_stderr"):
                    continue
                rows.append(
                    {
                        "family": "pythia",
                        "name": name,
                        "model": f"{name}@step{step}",
                        "run": "r",
                        "task": task,
                        "metric": metric,
                        "variant": "",
                        "shots": 0,
                        "value": value,
                        "stderr": values.get(f"{metric}_stderr"),
                        "n": None,
                        "chance": chance if metric in ("acc", "acc_norm", "pct_stereotype") else None,
                        "params": float(_PARAMS[size]),
                        "step": float(step),
                        "tokens": step * 2097152.0,
                    }
                )
    return rows


def read_obscaling(folder: Path, family: str) -> list[dict[str, Any]]:
    """Scores of one family on the four emergent tasks of Ruan et al. 2024; sample counts are not given."""
    with (folder / "base_llm_benchmark_eval.csv").open() as file:
        known = [row for row in csv.DictReader(file) if row["Model Family"] == family]
    sizes = {row["Model"]: 1e9 * float(row["Model Size (B)"]) for row in known}
    with (folder / "base_llm_emergent_capability_eval.csv").open() as file:
        records = [row for row in csv.DictReader(file) if row["Model"] in sizes]
    return [
        {
            "family": family,
            "name": record["Model"],
            "model": record["Model"],
            "run": "r",
            "task": column[: column.index("_2_") + 2],
            "metric": column[column.index("_2_") + 3 :],
            "variant": "",
            "shots": 2,
            "value": float(value),
            "stderr": None,
            "n": None,
            "chance": 0.25 if column.startswith("parsinlu") else 0.0,
            "params": sizes[record["Model"]],
        }
        for record in records
        for column, value in record.items()
        if column != "Model"
    ]


def make_points(
    x: np.ndarray,
    y: np.ndarray,
    *,
    axis: str = "params",
    n: float = 1000,
    chance: float | None = 0.25,
    **more: Any,
) -> list[dict[str, Any]]:
    """One series: a model a point, or one model along its steps."""
    return [
        {
            "family": "made",
            "name": "model" if axis == "step" else f"model-{i}",
            "model": f"model-{i}",
            "run": "r",
            "task": "task",
            "metric": "exact_match",
            "variant": "",
            "shots": None,
            "value": float(b),
            "stderr": None,
            "n": float(n),
            "chance": chance,
            axis: float(a),
            **{k: (v[i] if isinstance(v, (list, tuple, np.ndarray)) else v) for k, v in more.items()},
        }
        for i, (a, b) in enumerate(zip(x, y, strict=True))
    ]


Points = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def made() -> Points:
    return make_points


@pytest.fixture
def family_points(shared: Path) -> Points:
    path = shared / "reference" / "family" / "expected.json"
    if not path.exists():
        pytest.skip("the family's expected scores are not here")
    return lambda **options: read_family(path, **options)


@pytest.fixture
def pythia_points(shared: Path) -> Points:
    folder = shared / "data" / "pythia"
    if not folder.is_dir():
        pytest.skip("the published Pythia results are not here")
    return lambda **options: read_pythia(folder, **options)


@pytest.fixture
def obscaling_points(shared: Path) -> Points:
    folder = shared / "data" / "obscaling"
    if not folder.is_dir():
        pytest.skip("the published ObsScaling results are not here")
    return lambda family: read_obscaling(folder, family)
