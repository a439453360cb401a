"""What is asked and how an answer is scored: items, prompts, metrics. Runs no model."""

from saltus.tasks.metrics import METRICS, Metric
from saltus.tasks.registry import get_suite, list_suites
from saltus.tasks.task import Suite, Task

__all__ = ["METRICS", "Metric", "Suite", "Task", "get_suite", "list_suites"]
