"""The manifest of a run: all that decides its scores, hashed to its id, and beside it where it was made."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from saltus._version import __version__
from saltus.evals.plan import Plan, Wanted
from saltus.records.evidence import RunRecord
from saltus.records.ids import content_hash

_TELLING = ("aiohttp", "duckdb", "numpy", "pyarrow", "tokenizers", "torch", "transformers")


def manifest(
    suite: str, plans: Sequence[Plan], models: Sequence[tuple[str, str]], wanted: Wanted, **options: Any
) -> RunRecord:
    """Say what is measured.

    Args:
        suite: Its name.
        plans: What is asked.
        models: Id and fingerprint of each model.
        wanted: How the suite is asked.
        options: Whatever else decides the answers; what is false or None is left out.

    Returns:
        A run whose id is a hash of all that, so that the same command means the same run. The environment is
        recorded and not part of the id: numerics belong to a model's fingerprint. So is the self-test of the
        sandbox, where code of models is to be run.

    Raises:
        SandboxError: Code of models is to be run, and no sandbox works here.
    """
    now = time.time()
    config: dict[str, Any] = {
        "suite": suite,
        "tasks": [_task(plan) for plan in plans],
        "models": [{"id": name, "fingerprint": fingerprint} for name, fingerprint in models],
        "seed": wanted.seed,
        "limit": wanted.limit,
        "version": __version__,
    }
    config |= {name: value for name, value in options.items() if value}
    content = content_hash(config)
    place = {"environment": environment()} | sandbox(plans)
    return RunRecord(
        id=content,
        kind="run",
        source=suite,
        format="saltus",
        content=content,
        rows=len(models) * sum(plan.count * plan.per_sample * len(plan.metrics) for plan in plans),
        config=json.dumps(config | place, sort_keys=True),
        version=__version__,
        created=now,
    )


def environment() -> dict[str, str]:
    """Versions of what is installed here."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _TELLING:
        with suppress(PackageNotFoundError):  # an extra that is not installed
            found[name] = version(name)
    return found


def sandbox(plans: Sequence[Plan]) -> dict[str, Any]:
    """The sandbox that code of models will run in, with what it held against; empty where none is needed."""
    chosen = {metric.name for plan in plans for metric in plan.metrics}
    chosen |= {metric.name for plan in plans for metric in plan.groups}
    if not any(name.startswith("pass@") for name in chosen):
        return {}
    from saltus.tasks.sandbox import find

    return {"sandbox": find().self_test().as_dict()}


def _task(plan: Plan) -> dict[str, Any]:
    task = plan.task
    return {
        "name": task.name,
        "version": task.version,
        "items": plan.digest,
        "samples": plan.count,
        "metrics": [metric.name for part in (plan.metrics, plan.groups, plan.pairs) for metric in part],
        "variants": [""] * plan.plain + [variant.name for variant in plan.variants],
        "epochs": plan.epochs,
        "decoding": {
            "max_tokens": task.max_tokens,
            "stop": task.stop,
            "temperature": task.temperature,
            "top_p": task.top_p,
        },
    }
