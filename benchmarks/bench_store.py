"""How fast the evidence store appends and answers; a plain pyarrow writer and a bare DuckDB are the floor.

Each phase runs in a process of its own, so that its peak memory is its own. Targets: 1 million score rows
appended in at most 3 s and 400 MB; the mean by model and task over 10 million rows in at most 1 s.

    python benchmarks/bench_store.py [--rows N] [--query-rows N] [--repeat N] [--dir DIR]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH = 100_000
MODELS, TASKS, ITEMS = 40, 50, 500
MEAN = "SELECT model, task, avg(value) AS mean, count(*) AS n FROM scores GROUP BY model, task"


def score_batches(rows: int) -> Iterator[pa.RecordBatch]:
    """Score rows as a run gives them: model by model, task by task, coin flips and log-probabilities."""
    rng = np.random.default_rng(0)
    models = pa.array([f"org/model-{size}m@step{size * 100}" for size in range(MODELS)])
    tasks = pa.array([f"task-{number:02d}" for number in range(TASKS)])
    items = pa.array([f"item-{number:05d}" for number in range(ITEMS)])
    metrics = pa.array(["exact_match", "target_logprob"])
    for start in range(0, rows, BATCH):
        row = np.arange(start, min(rows, start + BATCH))
        flips = (rng.random(len(row)) < 0.3).astype(np.float64)
        values = np.where(row % 2 == 0, flips, -rng.gamma(2.0, 2.0, len(row)))
        yield pa.record_batch(
            {
                "run": pa.array([f"{start // 1_000_000:032x}"] * len(row)),
                "model": models.take(pa.array(row // (2 * ITEMS * TASKS) % MODELS)),
                "task": tasks.take(pa.array(row // (2 * ITEMS) % TASKS)),
                "sample": items.take(pa.array(row // 2 % ITEMS)),
                "variant": pa.array([""] * len(row)),
                "epoch": pa.array(np.zeros(len(row), dtype=np.int32)),
                "metric": metrics.take(pa.array(row % 2)),
                "value": pa.array(values),
            }
        )


def phase_floor(folder: Path, rows: int) -> dict[str, float]:
    """A plain pyarrow writer: the same batches, the same compression, no promises."""
    seconds = 0.0
    for number, batch in enumerate(score_batches(rows)):
        began = time.perf_counter()
        pq.write_table(pa.Table.from_batches([batch]), folder / f"{number}.parquet", compression="zstd")
        seconds += time.perf_counter() - began
    return {"seconds": seconds, "rows": rows}


def phase_append(folder: Path, rows: int) -> dict[str, float]:
    """The public `append`, Arrow batches."""
    import saltus

    store = saltus.open(folder / "store")
    seconds = 0.0
    for batch in score_batches(rows):
        began = time.perf_counter()
        store.append("scores", batch)
        seconds += time.perf_counter() - began
    return {"seconds": seconds, "rows": rows}


def phase_structs(folder: Path, rows: int) -> dict[str, float]:
    """The public `append`, `Score` structs; making them is not counted."""
    import saltus

    store = saltus.open(folder / "store")
    seconds = 0.0
    for batch in score_batches(rows):
        structs = [saltus.Score(**row) for row in batch.to_pylist()]
        began = time.perf_counter()
        store.append("scores", structs)
        seconds += time.perf_counter() - began
    return {"seconds": seconds, "rows": rows}


def phase_fill(folder: Path, rows: int) -> dict[str, float]:
    """Fill the store that the query phases read; one part a million rows."""
    import saltus

    store = saltus.open(folder / "store")
    began = time.perf_counter()
    waiting: list[pa.RecordBatch] = []
    for number, batch in enumerate(score_batches(rows), 1):
        waiting.append(batch)
        if number % 10 == 0 or number * BATCH >= rows:
            store.append("scores", pa.Table.from_batches(waiting))
            waiting = []
    models = [
        saltus.ModelRecord(name=f"org/model-{size}m", revision=f"step{size * 100}") for size in range(MODELS)
    ]
    store.append("models", models)
    tasks = [f"task-{number:02d}" for number in range(TASKS)]
    ids = [f"item-{number:05d}" for number in range(ITEMS)]
    store.append(
        "samples",
        [
            saltus.Sample(task=task, task_version="v", id=name, input="?", target="!", chance=0.25)
            for task in tasks
            for name in ids
        ],
    )
    return {"seconds": time.perf_counter() - began, "rows": rows}


def phase_query_floor(folder: Path, rows: int) -> dict[str, float]:
    """A bare DuckDB over the same parts."""
    import duckdb

    sql = MEAN.replace("scores", f"read_parquet('{folder}/store/lake/scores/*.parquet')")
    began = time.perf_counter()
    answer = duckdb.connect(":memory:").sql(sql).to_arrow_table()
    seconds = time.perf_counter() - began
    assert sum(answer["n"].to_pylist()) == rows
    return {"seconds": seconds, "rows": rows}


def phase_query_sql(folder: Path, rows: int) -> dict[str, float]:
    """`Store.sql`, opening the store and the cage included."""
    import saltus

    began = time.perf_counter()
    answer = saltus.open(folder / "store").sql(MEAN)
    seconds = time.perf_counter() - began
    assert sum(answer["n"].to_pylist()) == rows
    return {"seconds": seconds, "rows": rows}


def phase_query_points(folder: Path, rows: int) -> dict[str, float]:
    """`Store.points`: mean, standard error, chance and scale of every model, task and metric."""
    import saltus

    began = time.perf_counter()
    answer = saltus.open(folder / "store").points(latest=False)
    seconds = time.perf_counter() - began
    assert sum(answer["n"].to_pylist()) == rows
    return {"seconds": seconds, "rows": rows}


APPENDS = {"floor": phase_floor, "append": phase_append, "structs": phase_structs}
QUERIES = {"query_floor": phase_query_floor, "query_sql": phase_query_sql, "query_points": phase_query_points}
PHASES = {**APPENDS, "fill": phase_fill, **QUERIES}
LABELS = {
    "floor": "append: plain pyarrow",
    "append": "append: Store.append, Arrow",
    "structs": "append: Store.append, structs",
    "query_floor": "mean by model x task: bare DuckDB",
    "query_sql": "mean by model x task: Store.sql",
    "query_points": "Store.points, all series",
}


def measured(phase: str, folder: Path, rows: int) -> dict[str, float]:
    """Run one phase in a process of its own."""
    command = [sys.executable, __file__, "--phase", phase, "--rows", str(rows), "--dir", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def best(phase: str, parent: Path, rows: int, repeat: int, shared: Path | None = None) -> dict[str, float]:
    """Several runs of a phase, in a new folder each unless one is shared: best, median, most memory."""
    runs = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory(dir=parent) as fresh:
            runs.append(measured(phase, shared or Path(fresh), rows))
    seconds = sorted(run["seconds"] for run in runs)
    return {
        "rows": rows,
        "best": seconds[0],
        "median": seconds[len(seconds) // 2],
        "rss": max(run["rss"] for run in runs),
    }


def show(results: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    print(f"{'':36}{'rows':>12}{'best s':>9}{'median s':>10}{'rows/s':>13}{'peak MB':>9}{'of floor':>10}")
    for phase, found in results.items():
        floor = results["floor" if phase in APPENDS else "query_floor"]["best"]
        print(
            f"{LABELS[phase]:36}{found['rows']:>12,.0f}{found['best']:>9.2f}{found['median']:>10.2f}"
            f"{found['rows'] / found['best']:>13,.0f}{found['rss']:>9.0f}{found['best'] / floor:>9.2f}x"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="score rows to append")
    parser.add_argument("--query-rows", type=int, default=10_000_000, help="score rows to query")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=None, help="where to put the temporary stores")
    parser.add_argument("--phase", choices=PHASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        found = PHASES[options.phase](options.dir, options.rows)
        found["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory(dir=options.dir) as name:
        parent = Path(name)
        results = {phase: best(phase, parent, options.rows, options.repeat) for phase in APPENDS}
        shared = parent / "queried"
        shared.mkdir()
        measured("fill", shared, options.query_rows)
        for phase in QUERIES:
            results[phase] = best(phase, parent, options.query_rows, options.repeat, shared)
    show(results)


if __name__ == "__main__":
    main()
