"""Early warnings on the embedded family: train new seeds with dense checkpoints, measure them, replay them.

    python benchmarks/early_warning.py train --out DIR      a minute a model on one calm core
    python benchmarks/early_warning.py measure --out DIR    scores and internals, a minute a model
    python benchmarks/early_warning.py gather --out DIR     the tables into tests/golden/early_warning
    python benchmarks/early_warning.py replay               false alarms, hits and leads from those tables
    python benchmarks/early_warning.py lags                 when recall and the heads change, seed by seed

Each command goes on where it stopped. `train` and `measure` need the extra `local`; `replay` and `lags` need
neither torch nor the checkpoints.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden" / "early_warning"
STEPS = (*range(0, 1001, 25), *range(1050, 1501, 50), 1600, 1800, 2000)
MEASURED = (*range(0, 701, 25), *range(750, 1301, 50))
MODELS = {"2x64": tuple(range(11, 17)), "1x48": tuple(range(11, 17))}
TASKS = ("recall", "addition", "facts", "parity", "recite")
METRICS = ("exact_match", "target_logprob")
TOO_EARLY = 3.0  # a warning before a third of the jump's step does not count as one of it
EPOCHS = 4  # repeats of each recall item at temperature 1
NORMAL = 1.6449  # half of a 90 % interval, in standard errors


def train(out: Path) -> None:
    """Train every model that is missing, one after the other."""
    from saltus.family import RECIPE
    from saltus.family.catalog import find_size
    from saltus.family.worker import Job, train_model

    recipe = msgspec.structs.replace(RECIPE, checkpoints=STEPS)
    for label, seed in _models():
        with contextlib.suppress(_EnoughError):
            train_model(Job(str(out), find_size(label), seed, recipe), _until(MEASURED[-1] + 1))
        print(f"{label} seed {seed}: trained", flush=True)


def measure(out: Path) -> None:
    """Evaluate every trained model that has no table yet."""
    import torch

    from saltus.family.catalog import checkpoints

    torch.set_num_threads(1)
    for label, seed in _models():
        table = out / "tables" / f"{label}-{seed}.parquet"
        records = checkpoints(label, seed, MEASURED, root=out) if any(out.glob("*/step*")) else []
        if table.exists() or len(records) < len(MEASURED):
            continue
        rows = [*_scores(out, records), *_epochs(out, records), *_internals(records)]
        table.parent.mkdir(exist_ok=True)
        columns = {name: [row.get(name) for row in rows] for name in _SCHEMA.names}
        pq.write_table(pa.table(columns, schema=_SCHEMA), table)
        print(f"{label} seed {seed}: {len(rows)} rows", flush=True)


class _EnoughError(Exception):
    """Every checkpoint that is measured has been trained."""


def _until(last: int) -> Callable[[int], None]:
    def report(step: int) -> None:
        if step >= last:
            raise _EnoughError

    return report


def gather(out: Path) -> None:
    """Write one small table for the tests."""
    tables = [pq.read_table(path) for path in sorted((out / "tables").glob("*.parquet"))]
    GOLDEN.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.concat_tables(tables), GOLDEN / "runs.parquet", compression="zstd", compression_level=19
    )


# One row a checkpoint, task and metric. `marks` packs one bit a sample (and epoch) for metrics of 0 and 1.
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("seed", pa.int32()),
        ("step", pa.int32()),
        ("task", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float32()),
        ("stderr", pa.float32()),
        ("n", pa.int32()),
        ("chance", pa.float32()),
        ("epochs", pa.int32()),
        ("marks", pa.binary()),
    ]
)


def _models() -> Iterator[tuple[str, int]]:
    """Both sizes of a seed follow each other, so that an early stop leaves pairs."""
    longest = max(len(seeds) for seeds in MODELS.values())
    for place in range(longest):
        for label, seeds in MODELS.items():
            if place < len(seeds):
                yield label, seeds[place]


def _scores(out: Path, records: Sequence[Any]) -> list[dict[str, Any]]:
    """The suite's scores at each checkpoint, with one bit a sample."""
    from saltus import evaluate, open
    from saltus.models import load_model
    from saltus.tasks import get_suite

    with open(out / "stores" / records[0].name) as store:
        load = partial(load_model, threads=1)
        tasks = [task for task in get_suite("family").tasks if task.name in TASKS]
        run = evaluate(records, tasks, store=store, load=load, metrics=METRICS).run
        marks = _packed(store.scores(metric="exact_match", run=run).arrow())
        return [
            {**row, "seed": row["model_seed"], "epochs": 1, "marks": marks.get(_key(row))}
            for row in store.points(run=run).to_pylist()
        ]


def _epochs(out: Path, records: Sequence[Any]) -> list[dict[str, Any]]:
    """Recall again, each item several times at temperature 1."""
    from saltus import evaluate, open
    from saltus.models import load_model
    from saltus.tasks import get_suite

    recall = [task for task in get_suite("family").tasks if task.name == "recall"]
    with open(out / "stores" / f"{records[0].name}-epochs") as store:
        load = partial(load_model, threads=1)
        how: dict[str, Any] = {"temperature": 1.0, "epochs": EPOCHS, "metrics": ["exact_match"]}
        run = evaluate(records, recall, store=store, load=load, **how).run
        marks = _packed(store.scores(run=run).arrow())
        return [
            {**row, "seed": row["model_seed"], "epochs": EPOCHS, "marks": marks[_key(row)]}
            for row in store.points(run=run).to_pylist()
        ]


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["step"], row["task"], row["metric"]


def _packed(rows: pa.Table) -> dict[tuple[Any, ...], bytes]:
    """One bit a mark, samples in the order of their ids, the epochs of a sample side by side."""
    found: dict[tuple[Any, ...], list[tuple[str, int, float]]] = {}
    for row in rows.to_pylist():
        found.setdefault(_key(row), []).append((row["sample"], row["epoch"], row["value"]))
    return {
        key: np.packbits([value > 0.5 for *_, value in sorted(marks)]).tobytes()
        for key, marks in found.items()
    }


def _internals(records: Sequence[Any]) -> list[dict[str, Any]]:
    """What the strongest heads attend to, what a text seen twice gains, and how large the weights are."""
    from saltus.interpret.attention.probes import make_probes, probe_vocabulary
    from saltus.interpret.development.follow import follow, head_measure
    from saltus.interpret.network.checkpoints import open_model
    from saltus.interpret.network.prompts import make_prompts
    from saltus.tasks import get_suite

    opened = open_model(records[0])
    [recall] = [task for task in get_suite("family").tasks if task.name == "recall"]
    prompts = make_prompts(list(recall.items()), opened.encoder, context=opened.context)
    probes = make_probes(probe_vocabulary(opened.encoder, prompts), context=opened.context or 64)
    measures = [head_measure(probes, prompts), partial(_repeat_gain, probes)]
    found = follow(records, measures, encoder=opened.encoder, draws=0)
    if found.problems:
        sys.exit(found.problems[0])
    out = []
    for record, readings in zip(found.records, found.readings, strict=True):
        base = {"name": record.name, "seed": record.seed, "step": record.step, "task": "", "epochs": 1}
        for name, one in readings.items():
            if one.of or not one.component:
                stderr = None if one.low is None else (one.high - one.low) / (2 * NORMAL)
                out.append({**base, "metric": name, "value": one.value, "stderr": stderr, "n": one.n or None})
        out.append({**base, "metric": "weight_norm", "value": _weight_norm(record)})
    return out


def _repeat_gain(probes: Any, model: Any) -> dict[str, Any]:
    """Log-probability of what follows a token seen before, less that of what followed it the first time."""
    import torch

    from saltus.interpret.development.follow import Reading
    from saltus.interpret.network.hooked import Batch
    from saltus.interpret.network.scoring import mean_interval

    gains = []
    for probe in probes.repeats:
        tokens = torch.from_numpy(probe.tokens)
        rows, lengths = torch.arange(len(tokens)), torch.full((len(tokens),), tokens.shape[1])
        logits = model.run(Batch(tokens, lengths, rows)).logits
        found = logits.log_softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0].double().numpy()
        last = probe.tokens.shape[1] - 1  # of which nothing follows
        for own, queries, earlier in zip(found, probe.queries, probe.earlier, strict=True):
            kept = queries < last
            gains.append(float((own[queries[kept]] - own[earlier[kept]]).mean()))
    gain = mean_interval(np.array(gains))
    reading = Reading(value=gain.value, low=gain.low, high=gain.high, n=len(gains), metric="nats")
    return {"repeat_gain": reading}


def _weight_norm(record: Any) -> float:
    """Square root of the sum of squares of all matrices."""
    from safetensors.torch import load_file

    tensors = load_file(Path(record.location) / "model.safetensors").values()
    return float(sum(float(one.float().square().sum()) for one in tensors if one.ndim == 2) ** 0.5)


class Run(msgspec.Struct, frozen=True):
    """One training run from the table: what `early_warnings` takes."""

    name: str
    points: list[dict[str, Any]]
    samples: pa.Table
    scalars: dict[str, tuple[list[float], list[float]]]


def read_runs(path: Path = GOLDEN / "runs.parquet") -> list[Run]:
    """The runs of a table, in order of their names."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in pq.read_table(path).to_pylist():
        model = f"{row['name']}@step{row['step']}"
        rows.setdefault(row["name"], []).append({**row, "model": model, "family": "tiro"})
    return [_run(name, own) for name, own in sorted(rows.items())]


def _run(name: str, rows: list[dict[str, Any]]) -> Run:
    scalars: dict[str, tuple[list[float], list[float]]] = {}
    columns: dict[str, list[Any]] = {k: [] for k in ("model", "task", "metric", "sample", "epoch", "value")}
    for row in rows:
        if not row["task"]:
            places, values = scalars.setdefault(row["metric"], ([], []))
            places.append(row["step"])
            values.append(row["value"])
        elif row["marks"]:
            size, epochs = row["n"], row["epochs"]
            marks = np.unpackbits(np.frombuffer(row["marks"], np.uint8))[: size * epochs]
            # The repeats at temperature 1 stand beside the plain answers as a task of their own.
            columns["model"] += [row["model"]] * len(marks)
            columns["task"] += [row["task"] + (" at temperature 1" if epochs > 1 else "")] * len(marks)
            columns["metric"] += [row["metric"]] * len(marks)
            columns["sample"] += np.repeat(np.arange(size), epochs).tolist()
            columns["epoch"] += np.tile(np.arange(epochs), size).tolist()
            columns["value"] += marks.astype(float).tolist()
    points = [
        {**row, "task": row["task"] + (" at temperature 1" if row["epochs"] > 1 else "")}
        for row in rows
        if row["task"]
    ]
    return Run(name, points, pa.table(columns), scalars)


class Outcome(msgspec.Struct, frozen=True):
    """What one indicator said of one task in one run.

    Attributes:
        onset: Of the jump by `detect` on the whole run, None where there is none.
        at: Its warnings.
    """

    run: str
    task: str
    indicator: str
    onset: float | None
    at: tuple[float, ...]

    @property
    def lead(self) -> float | None:
        """Onset over the first warning that came before it, but not before a third of it."""
        if self.onset is None:
            return None
        return next((self.onset / at for at in self.at if self.onset / TOO_EARLY <= at < self.onset), None)

    @property
    def false(self) -> bool:
        """A warning of a jump that does not come, or comes more than three times as late."""
        return any(self.onset is None or at < self.onset / TOO_EARLY for at in self.at)


def outcomes(run: Run) -> list[Outcome]:
    """Every indicator on every task of one run."""
    from saltus.emergence.detect import detect_all
    from saltus.emergence.warning import KINDS, early_warnings

    found = {one.task: one for one in detect_all(run.points, axis="step", bootstraps=400)}
    said: dict[tuple[str, str], list[float]] = {}
    given: dict[str, Any] = {"samples": run.samples, "indicators": KINDS}
    for warning in [
        *early_warnings(run.points, **given),
        *early_warnings(run.points, task="recall", scalars=run.scalars, indicators=("progress",)),
    ]:
        said.setdefault((warning.task, warning.indicator), []).append(warning.at)
    out = []
    for task, one in found.items():
        jumps = one.verdict in ("emergent", "accelerating") and one.onset is not None
        onset = one.onset.value if jumps and one.onset else None
        repeated = task.endswith("at temperature 1")
        kinds = [kind for kind in KINDS if kind != "progress"]
        kinds = ["flicker:epochs"] if repeated else [k for k in kinds if k != "flicker:epochs"]
        kinds += [f"progress:{name}" for name in run.scalars] if task == "recall" else []
        out += [Outcome(run.name, task, k, onset, tuple(said.get((task, k), ()))) for k in kinds]
    return out


def replay() -> None:
    """Print what each indicator said, then one line for each."""
    found = [one for run in read_runs() for one in outcomes(run)]
    for one in found:
        if one.at or one.onset:
            print(
                f"{one.run:20} {one.task:24} {one.indicator:24} onset {one.onset or 0:6.0f} warned {one.at}"
            )
    seeds = sorted({one.run.partition("-seed")[2] for one in found})
    works = {seed: _works([one for one in found if not one.run.endswith(f"-seed{seed}")]) for seed in seeds}
    print("indicator | without a jump | false alarms | jumps | in time | too early | works | lead")
    for name in dict.fromkeys(one.indicator for one in found):
        own = [one for one in found if one.indicator == name]
        still = [one.false for one in own if one.onset is None]
        jumps = [one for one in own if one.onset is not None]
        warned = [one for one in jumps if one.lead]
        early = sum(one.false for one in jumps)
        chosen = sum(name in works[seed] for seed in seeds)
        print(
            f"{name} | {len(still)} | {sum(still)} | {len(jumps)} | {len(warned)} | {early} | "
            f"{chosen}/{len(seeds)} | {_lead(warned)}"
        )


def _works(found: Sequence[Outcome]) -> set[str]:
    """What may warn by default: false in a tenth of the series at most, in time before a third of jumps."""
    out = set()
    for name in {one.indicator for one in found}:
        own = [one for one in found if one.indicator == name]
        still = [one.false for one in own if one.onset is None]
        jumps = [one.lead is not None for one in own if one.onset is not None]
        if still and jumps and np.mean(still) <= 0.1 and np.mean(jumps) >= 1 / 3:
            out.add(name)
    return out


def _lead(warned: Sequence[Outcome]) -> str:
    """Median and range of the leads, and the chance that the next one lies in the range (Wilks 1941)."""
    if not warned:
        return "none"
    leads = [one.lead for one in warned if one.lead]
    steps = [one.onset * (1 - 1 / one.lead) for one in warned if one.lead and one.onset]
    level = (len(leads) - 1) / (len(leads) + 1)
    return (
        f"{np.median(leads):.2f} [{min(leads):.2f}, {max(leads):.2f}] times, "
        f"{np.median(steps):.0f} [{min(steps):.0f}, {max(steps):.0f}] steps, level {level:.2f}"
    )


CURVES = ("recall exact_match", "previous_token", "induction", "source")


def lag_table() -> None:
    """Print when recall and the heads change in each run, and the lags over the seeds of each size."""
    from saltus.emergence.lags import lags
    from saltus.emergence.timeline import timelines

    rows = [
        {**row, "model": f"{row['name']}@step{row['step']}", "family": row["name"].partition("-seed")[0]}
        | {"task": row["task"] or "internals"}
        for row in pq.read_table(GOLDEN / "runs.parquet").to_pylist()
        if row["epochs"] == 1 and f"{row['task']} {row['metric']}".strip() in CURVES
    ]
    lines = timelines(rows)
    for run in sorted({line.series for line in lines}):
        own = {
            f"{line.task} {line.metric}".removeprefix("internals "): line
            for line in lines
            if line.series == run
        }
        said = [f"{curve} {_changes(own[curve])}" for curve in CURVES]
        print(f"{run}: {'; '.join(said)}")
    for which in ("main", "first"):
        print(f"by the {which} change of each curve")
        for lag in lags(lines, which=which):
            low, high = lag.ratio.low, lag.ratio.high
            print(f"    {lag.family}: {lag.reason} Ratio {lag.ratio.value:.3f} [{low:.3f}, {high:.3f}].")


def _changes(line: Any) -> str:
    """All changes of a curve, the most certain one marked."""
    if not line.changes:
        return "none"
    main = min(line.changes, key=lambda change: (change.p, -abs(change.size)))
    return ", ".join(
        f"{change.at.value:.0f} [{change.at.low:.0f}, {change.at.high:.0f}] {change.kind} {change.size:+.2f}"
        + ("*" if change is main else "")
        for change in line.changes
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("command", choices=("train", "measure", "gather", "replay", "lags"))
    parser.add_argument("--out", type=Path, default=Path("early-warning"), help="where the models are")
    options = parser.parse_args(arguments)
    if options.command in ("replay", "lags"):
        {"replay": replay, "lags": lag_table}[options.command]()
    else:
        {"train": train, "measure": measure, "gather": gather}[options.command](options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
