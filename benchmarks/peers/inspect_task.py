"""The benchmark's items as an Inspect task."""

import os

from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.scorer import match
from inspect_ai.solver import generate


@task
def sums() -> Task:
    return Task(dataset=json_dataset(os.environ["BENCH_ITEMS"]), solver=generate(), scorer=match("exact"))
