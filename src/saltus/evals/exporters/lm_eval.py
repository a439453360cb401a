"""A run as lm-evaluation-harness lays out results: a folder a model, `results_*.json` and `samples_*.jsonl`.

A variant stands where the harness has a filter. Repeats of a sample are one line with all their outputs, and
the mean of their scores, as the harness itself writes repeats.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from saltus._version import __version__
from saltus.evals.exporters.entry import Export, Unit
from saltus.evals.exporters.files import file_name, whole
from saltus.records.metrics import metric_info

_NONE = "none"


def write(export: Export) -> tuple[list[Path], list[str]]:
    """Write one folder a model."""
    written: list[Path] = []
    failed = 0
    points = export.store.points(run=export.run["id"], latest=False).to_pylist()
    models = export.models()
    for model, units in groupby(export.units(), key=lambda unit: unit.model):
        folder = export.output / file_name(model)
        mine = [point for point in points if point["model"] == model]
        counts: dict[str, tuple[int, int]] = {}
        kinds: dict[str, str] = {}
        for unit in units:
            path = folder / f"samples_{_task_file(unit.task)}_{_stamp(export)}.jsonl"
            asked, scored, kinds[unit.task] = _write_samples(export, unit, path)
            counts[unit.task] = (asked, scored)
            failed += asked - scored
            if scored:
                written.append(path)
        path = folder / f"results_{_stamp(export)}.json"
        document = _results(export, models.get(model, {"name": model}), mine, counts, kinds)
        with whole(path) as hidden:
            hidden.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    notes = [f"{failed:,} samples that failed have no line."] if failed else []
    return written, notes


def _task_file(task: str) -> str:
    """A task in the name of its file, as the harness writes it where it has to change something."""
    return task if re.fullmatch(r"[\w.@=+-]+", task) else re.sub(r"\W", "_", task)


def _stamp(export: Export) -> str:
    """When the run was made, as the harness writes it into file names."""
    made = datetime.fromtimestamp(export.run["created"] or 0, tz=UTC)
    return made.strftime("%Y-%m-%dT%H-%M-%S.%f")


def _write_samples(export: Export, unit: Unit, path: Path) -> tuple[int, int, str]:
    """Write the lines of one task; gives the samples asked, those scored, and how they were asked."""
    asked = scored = 0
    kind = ""
    with ExitStack() as stack:
        file: TextIO | None = None
        rows = export.rows(unit)
        for _, repeats in groupby(rows, key=lambda row: (row["variant"], row["sample"])):
            line = _line(list(repeats))
            asked += 1
            if line is None:
                continue
            told = line.pop("kind")
            kind = kind or told
            if file is None:
                file = stack.enter_context(stack.enter_context(whole(path)).open("w", encoding="utf-8"))
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            scored += 1
    return asked, scored, kind


def _line(repeats: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """One sample; None where no repeat has a score."""
    scored = [row for row in repeats if row["scores"]]
    if not scored:
        return None
    values: dict[str, list[float]] = defaultdict(list)
    for row in scored:
        for metric, value in row["scores"].items():
            values[metric].append(value)
    first = scored[0]
    kind, arguments, answers = _asked(first, scored)
    prompt = arguments[0][0] if arguments else ""
    target = (
        str(first["answer"]) if kind == "multiple_choice" and first["answer"] >= 0 else first["target"] or ""
    )
    doc = {
        "id": first["sample"],
        "input": first["input"] or "",
        "target": first["target"] or "",
        **({"choices": first["choices"], "answer": first["answer"]} if first["choices"] else {}),
        **({"slices": dict(first["slices"])} if first["slices"] else {}),
    }
    return {
        "kind": kind,
        "doc_id": int(first["sample"]) if _is_number(first["sample"]) else first["sample"],
        "doc": doc,
        "target": target,
        "arguments": {
            f"gen_args_{i}": {f"arg_{j}": value for j, value in enumerate(one)}
            for i, one in enumerate(arguments)
        },
        "resps": answers,
        "filtered_resps": [one[0] for one in answers],
        "filter": first["variant"] or _NONE,
        "metrics": list(values),
        "doc_hash": _hash(json.dumps(doc, ensure_ascii=False)),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(target),
        **{metric: sum(found) / len(found) for metric, found in values.items()},
    }


def _asked(
    first: Mapping[str, Any], scored: Sequence[Mapping[str, Any]]
) -> tuple[str, list[list[Any]], list[list[Any]]]:
    """How a sample was asked: the kind of output, the arguments of each request, the answers to each."""
    prompt = first["prompt"] or first["input"] or ""
    if first["choices"] and first["choice_logprobs"]:
        arguments = [[prompt, choice] for choice in first["choices"]]
        # Only the target's tokens are known to be the likeliest or not, so nothing is said of the others.
        return "multiple_choice", arguments, [[[str(value)]] for value in first["choice_logprobs"]]
    if first["logprobs"] and not first["output"] and not first["finish"]:
        likely = [str(sum(first["logprobs"])), str(all(first["greedy"]))]
        return "loglikelihood", [[prompt, first["target"] or ""]], [[likely]]
    return "generate_until", [[prompt, {"until": []}]], [[row["output"] or "" for row in scored]]


def _results(
    export: Export, model: Mapping[str, Any], points: Sequence[Mapping[str, Any]],
    counts: Mapping[str, tuple[int, int]], kinds: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    results: dict[str, dict[str, Any]] = {}
    better: dict[str, dict[str, bool]] = {}
    for point in points:
        task = results.setdefault(point["task"], {"alias": point["task"]})
        name = point["variant"] or _NONE
        task[f"{point['metric']},{name}"] = point["value"]
        task[f"{point['metric']}_stderr,{name}"] = "N/A" if point["stderr"] is None else point["stderr"]
        if point["n"]:
            task["sample_len"] = int(point["n"])
        better.setdefault(point["task"], {})[point["metric"]] = metric_info(point["metric"]).higher_is_better
    configs = {task: dict(_config(task, kinds.get(task, ""), better[task])) for task in results}
    args = ",".join(
        f"{key}={value}"
        for key, value in (("pretrained", model["name"]), ("revision", model.get("revision") or ""))
        if value
    )
    return {
        "results": results,
        "group_subtasks": {task: [] for task in results},
        "configs": configs,
        "versions": dict.fromkeys(results, 0),
        "n-shot": dict.fromkeys(results, 0),
        "higher_is_better": better,
        "n-samples": {
            task: {"original": counts[task][0], "effective": counts[task][1]}
            for task in results
            if counts.get(task, (0, 0))[1] and len({p["variant"] for p in points if p["task"] == task}) == 1
        },
        "config": {
            "model": "saltus",
            "model_args": args,
            "model_num_parameters": int(model["params"]) if model.get("params") else None,
            "model_revision": model.get("revision") or "main",
            "batch_size": None,
            "limit": None,
        },
        "git_hash": None,
        "date": export.run["created"],
        "model_source": "saltus",
        "model_name": model["name"],
        "saltus_version": __version__,
        "saltus_run": export.run["id"],
    }


def _config(task: str, kind: str, better: Mapping[str, bool]) -> Iterator[tuple[str, Any]]:
    yield "task", task
    if kind:
        yield "output_type", kind
    yield "num_fewshot", 0
    yield (
        "metric_list",
        [{"metric": name, "aggregation": "mean", "higher_is_better": up} for name, up in better.items()],
    )


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and str(int(name)) == name


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
