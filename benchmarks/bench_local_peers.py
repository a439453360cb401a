"""Local multiple choice beside lm-evaluation-harness' `hf` backend: same items, same weights, one thread.

    python benchmarks/bench_local_peers.py                    # Saltus alone
    python benchmarks/bench_local_peers.py --peers FOLDER     # and the harness, made there by runner.py

Two subjects: the family's tiro-2x64 and a random GPT-NeoX with 30 million parameters. "Process" is a whole
process from its start to its end; "inside" begins with the model loaded. Both write what they found.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from runner import HERE, measure, say

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
SUBJECTS = {  # items, context, length of a choice, batch sizes that the harness tries
    "tiro-2x64": (2_000, 32, 4, ("16", "64", "128")),
    "random-30M": (48, 96, 8, ("16", "64")),
}


def write_items(folder: Path, count: int, context: int, length: int) -> None:
    """Four choices an item, as a suite of Saltus and as a task of the harness."""
    random = np.random.default_rng(0)

    def text(size: int) -> str:
        return "".join(random.choice(list(LETTERS), size))

    with (folder / "items.jsonl").open("w") as file:
        for i in range(count):
            choices = [text(length) for _ in range(4)]
            answer = int(random.integers(4))
            row = {"id": f"{i:05d}", "input": text(int(random.integers(context * 3 // 4, context + 1)))}
            file.write(json.dumps(row | {"choices": choices, "answer": answer}) + "\n")
    (folder / "suite.toml").write_text(
        '[[tasks]]\nname = "choices"\nitems = "items.jsonl"\nkind = "multiple_choice"\n'
        'metrics = ["choice_correct"]\n'
    )
    (folder / "choices.yaml").write_text(
        f"""task: choices
dataset_path: json
dataset_kwargs:
  data_files: {{"test": "{folder / "items.jsonl"}"}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{input}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
target_delimiter: ""
metric_list:
  - metric: acc
"""
    )


def inside(model: str, folder: str) -> None:
    """Evaluate with the model loaded; prints one JSON line. Run as a process of its own."""
    from bench_local import Stopwatch

    import saltus
    from saltus.evals import evaluate
    from saltus.models import TransformersModel
    from saltus.records import LoglikelihoodRequest
    from saltus.tasks import get_suite

    loaded = TransformersModel(model, threads=1)
    loaded.loglikelihood([LoglikelihoodRequest("a", ("b", "cd"))])
    with tempfile.TemporaryDirectory() as name:
        store = saltus.open(name)
        suite = get_suite(str(Path(folder) / "suite.toml"))
        with Stopwatch() as watch:
            summary = evaluate([loaded], suite, store=store)
        rows = store.sql("SELECT choice_logprobs FROM responses ORDER BY sample").to_pylist()
        [score] = store.sql("SELECT avg(value) AS mean FROM scores").to_pylist()
    totals = [row["choice_logprobs"] for row in rows]
    found = {"seconds": summary.seconds, "forward": watch.seconds, "accuracy": score["mean"]}
    print("\n" + json.dumps(found | {"totals": totals}))


def last_line(command: list[str], **env: str) -> tuple[float, dict[str, float]]:
    """Seconds of the whole process, and what it says at its end."""
    measured = measure(command, **env)
    lines = [line for line in measured.output.splitlines() if line.startswith("{")]
    return measured.seconds, json.loads(lines[-1])


def compare(name: str, model: Path, folder: Path, peers: Path | None, repeats: int) -> None:
    count, context, length, batches = SUBJECTS[name]
    write_items(folder, count, context, length)
    say(f"{name}: {count:,} items, 4 choices of {length} characters, one thread; samples/s")
    command = [sys.executable, str(Path(__file__)), "--inside", str(model), str(folder)]
    ours = [last_line(command)[1] for _ in range(repeats)]
    whole = []
    for i in range(repeats):
        command = [sys.executable, "-m", "saltus", "run", str(folder / "suite.toml"), "-M", str(model)]
        command += ["-O", "threads=1", "--store", str(folder / f"store-{i}"), "--json"]
        whole.append(measure(command).seconds)
    within = count / statistics.median(one["seconds"] for one in ours)
    process = count / statistics.median(whole)
    share = statistics.median(1 - one["forward"] / one["seconds"] for one in ours)
    say("  Saltus, inside", f"{within:,.0f}", f"{share:.0%} of the time outside forward passes")
    say("  Saltus, process", f"{process:,.0f}")
    if peers is None:
        return
    best = (0.0, 0.0, "", {})
    for batch in batches:
        command = [str(peers / "bin/python"), str(HERE / "peers/lm_eval_local.py"), str(model), str(folder)]
        runs = [last_line([*command, batch], **offline(folder)) for _ in range(repeats)]
        rate = count / statistics.median(found["seconds"] for _, found in runs)
        best = max(best, (rate, count / statistics.median(s for s, _ in runs), batch, runs[0][1]), key=first)
    rate, rate_process, batch, theirs = best
    gap = np.abs(np.array(ours[0]["totals"]) - np.array(theirs["totals"])).max()
    say("  lm-eval hf, inside", f"{rate:,.0f}", f"batch size {batch}; Saltus is {within / rate:.1f} x")
    say("  lm-eval hf, process", f"{rate_process:,.0f}", f"Saltus is {process / rate_process:.1f} x")
    same = "the same" if ours[0]["accuracy"] == theirs["accuracy"] else "NOT the same"
    say(
        "  accuracy",
        f"{ours[0]['accuracy']:.4f}",
        f"{same}; log-likelihoods differ by {gap:.1e} nats at most",
    )


def first(one: tuple[float, float, str, dict[str, float]]) -> float:
    return one[0]


def offline(folder: Path) -> dict[str, str]:
    return {
        "HF_HOME": str(folder / "hf"),
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="folder of a virtual environment with lm-eval[hf]")
    parser.add_argument("--repeats", type=int, default=3, help="medians are printed")
    parser.add_argument("--subject", choices=SUBJECTS, action="append", help="only this one")
    parser.add_argument("--inside", nargs=2, metavar=("MODEL", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        inside(*options.inside)
        return
    if options.peers and not (options.peers / "bin/lm_eval").exists():
        sys.exit(f"{options.peers} has no lm_eval; `python benchmarks/runner.py --peers FOLDER` makes it")
    from bench_local import random_model

    from saltus.family.catalog import path

    with tempfile.TemporaryDirectory() as name:
        for subject in options.subject or SUBJECTS:
            folder = Path(name) / str(len(list(Path(name).iterdir())))
            folder.mkdir()
            model = path(subject) if subject.startswith("tiro") else folder / "model"
            if not model.exists():
                random_model(model)
            compare(subject, model, folder, options.peers, options.repeats)


if __name__ == "__main__":
    main()
