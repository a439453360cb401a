"""A run as Inspect logs: one `.eval` archive for each model, task and variant.

`inspect view` lists them and `inspect_ai.log.read_eval_log` reads them. Every metric is a scorer of its own.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from saltus._version import __version__
from saltus.evals.exporters.entry import Export, Unit
from saltus.evals.exporters.files import file_name, whole
from saltus.records.ids import content_hash

_VERSION = 2
_FINISH = {
    "length": "max_tokens",
    "stop": "stop",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
_FACTS = ("family", "params", "tokens", "flops", "step", "loss", "released", "layers", "width", "heads")
_LETTERS = 26


def write(export: Export) -> tuple[list[Path], list[str]]:
    """Write the logs."""
    written: list[Path] = []
    models = export.models()
    points = export.store.points(run=export.run["id"], latest=False).to_pylist()
    without = 0
    for unit in export.units():
        means = [p for p in points if (p["model"], p["task"]) == (unit.model, unit.task)]
        variants = unit.variants or tuple({p["variant"] for p in means})
        without += not unit.responses
        for variant in variants:
            log = _Log(export, unit, variant, models.get(unit.model, {"name": unit.model}))
            log.write([p for p in means if p["variant"] == variant])
            written.append(log.path)
    notes = [f"{without:,} tasks have means and no samples; their logs hold the means."] if without else []
    return written, notes


class _Log:
    """One log: what its parts are made of."""

    def __init__(self, export: Export, unit: Unit, variant: str, model: Mapping[str, Any]) -> None:
        self._export = export
        self._unit = unit
        self._variant = variant
        made = datetime.fromtimestamp(export.run["created"] or 0, tz=UTC)
        self._created = made.isoformat(timespec="seconds")
        self._id = content_hash([export.run["id"], unit.model, unit.task, variant], length=22)
        stamp = made.strftime("%Y-%m-%dT%H-%M-%S-00-00")
        self.path = export.output / f"{stamp}_{file_name(unit.task)}_{self._id}.eval"
        args = {"revision": model["revision"]} if model.get("revision") else {}
        facts = {key: model[key] for key in _FACTS if model.get(key) not in (None, "")}
        self._spec: dict[str, Any] = {
            "eval_id": self._id,
            "run_id": export.run["id"][:22],
            "created": self._created,
            "task": unit.task,
            "task_id": self._id,
            "task_version": 0,
            "task_attribs": {},
            "task_args": {"variant": variant} if variant else {},
            "task_args_passed": {"variant": variant} if variant else {},
            "dataset": {"name": unit.task, "shuffled": False},
            "model": model["name"],
            "model_args": args,
            "model_generate_config": {},
            "config": {},
            "packages": {"saltus": __version__},
            "metadata": {"saltus": {"run": export.run["id"], **facts}},
        }

    def write(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Write the archive, a sample at a time."""
        plan = {"name": "plan", "steps": [], "config": {}}
        count = failed = 0
        with whole(self.path) as hidden, zipfile.ZipFile(hidden, "w", zipfile.ZIP_DEFLATED) as archive:
            _put(archive, "_journal/start.json", {"version": _VERSION, "eval": self._spec, "plan": plan})
            with ListOnDisk(hidden.with_suffix(".summaries")) as summaries:
                for sample in self._samples():
                    _put(archive, f"samples/{sample['id']}_epoch_{sample['epoch']}.json", sample)
                    summaries.add(_summary(sample))
                    count += 1
                    failed += "error" in sample
                archive.write(summaries.close(), "summaries.json")
            scored = count - failed
            self._spec["dataset"]["samples"] = count
            _put(
                archive,
                "header.json",
                {
                    "version": _VERSION,
                    "status": "success",
                    "eval": self._spec,
                    "plan": plan,
                    "results": {
                        "total_samples": count,
                        "completed_samples": scored,
                        "scores": [_reported(point) for point in points],
                    },
                    "stats": {"started_at": self._created, "completed_at": self._created, "model_usage": {}},
                },
            )

    def _samples(self) -> Iterator[dict[str, Any]]:
        if not self._unit.responses:
            return
        for row in self._export.rows(self._unit, variant=self._variant):
            yield _sample(row, self._spec["model"])


class ListOnDisk:
    """A JSON list that grows on the disk, so that a long one needs no memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._some = False

    def __enter__(self) -> ListOnDisk:
        self._file = self._path.open("wb")
        self._file.write(b"[")
        return self

    def add(self, value: Any) -> None:
        """Add one element."""
        self._file.write((b"," if self._some else b"") + _encoded(value))
        self._some = True

    def close(self) -> Path:
        """End the list; gives its file, which lasts until the `with` block ends."""
        self._file.write(b"]")
        self._file.close()
        return self._path

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def _sample(row: Mapping[str, Any], model: str) -> dict[str, Any]:
    extra = json.loads(row["extra"]) if row["extra"] else {}
    prompt, output = row["prompt"] or row["input"] or "", row["output"] or ""
    calls = json.loads(row["tool_calls"]) if row["tool_calls"] else []
    answer: dict[str, Any] = {"role": "assistant", "content": output, "source": "generate"}
    if calls:
        answer["tool_calls"] = [_call(call) for call in calls]
    asked = [{"role": "system", "content": extra["system"]}] if extra.get("system") else []
    asked.append({"role": "user", "content": prompt, "source": "input"})
    for said, further in zip(row["turns"] or [], extra.get("turns") or [], strict=False):
        asked += [
            {"role": "assistant", "content": said, "source": "generate"},
            {"role": "user", "content": further},
        ]
    usage = {"input_tokens": row["prompt_tokens"] or 0, "output_tokens": row["completion_tokens"] or 0}
    usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]
    choice: dict[str, Any] = {"message": answer, "stop_reason": _FINISH.get(row["finish"] or "", "unknown")}
    if row["output_logprobs"]:
        ids = row["output_tokens"] or [""] * len(row["output_logprobs"])
        tokens = zip(ids, row["output_logprobs"], strict=False)
        choice["logprobs"] = {"content": [{"token": str(name), "logprob": value} for name, value in tokens]}
    known = {} if row["chance"] is None else {"saltus": {"chance": row["chance"]}}
    sample: dict[str, Any] = {
        "id": row["sample"],
        "epoch": row["epoch"] + 1,
        "input": row["input"] or prompt,
        **({"choices": list(row["choices"])} if row["choices"] else {}),
        "target": _target(row, extra),
        "messages": [*asked, answer],
        "output": {
            "model": model,
            "choices": [choice],
            "completion": output,
            "usage": usage,
            "time": row["latency"],
        },
        "scores": {
            name: {"value": value, "answer": output, "history": []} for name, value in row["scores"].items()
        },
        "metadata": dict(row["slices"] or []) | known,
        "store": {},
        "events": [],
        "model_usage": {model: usage},
        "attachments": {},
    }
    if row["finish"] == "error":
        sample["output"] = {"model": model, "choices": [], "completion": ""}
        sample["messages"] = asked
        sample["error"] = {"message": row["error"] or "failed", "traceback": "", "traceback_ansi": ""}
    return sample


def _target(row: Mapping[str, Any], extra: Mapping[str, Any]) -> str | list[str]:
    """As Inspect names it: the letter of the right choice, or all right answers."""
    if row["choices"] and 0 <= row["answer"] < min(len(row["choices"]), _LETTERS):
        return chr(ord("A") + row["answer"])
    others = extra.get("references") or []
    return [row["target"] or "", *others] if others else row["target"] or ""


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    try:
        arguments = json.loads(call.get("arguments") or "{}")
    except ValueError:
        arguments = None  # the model wrote no JSON; it is kept as text below
    if not isinstance(arguments, dict):
        arguments = {"text": call.get("arguments")}
    return {
        "id": call.get("id") or "call",
        "function": call["name"],
        "arguments": arguments,
        "type": "function",
    }


def _summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("id", "epoch", "input", "choices", "target", "metadata", "model_usage")
    return {
        **{key: sample[key] for key in kept if key in sample},
        "scores": {
            name: {"value": score["value"], "history": []} for name, score in sample["scores"].items()
        },
        **({"error": sample["error"]["message"]} if "error" in sample else {}),
        "completed": True,
    }


def _reported(point: Mapping[str, Any]) -> dict[str, Any]:
    metrics = {"mean": {"name": "mean", "value": point["value"], "params": {}}}
    if point["stderr"] is not None:
        metrics["stderr"] = {"name": "stderr", "value": point["stderr"], "params": {}}
    return {
        "name": point["metric"],
        "scorer": point["metric"],
        **({"scored_samples": int(point["n"])} if point["n"] else {}),
        "params": {},
        "metrics": metrics,
    }


def _put(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    archive.writestr(name, _encoded(value))


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
